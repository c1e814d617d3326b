import { type Container, dag } from "@dagger.io/dagger"
import { UserError } from "../lib/errors.js"
import { normalized } from "../lib/platform.js"
import type { Settings } from "../settings.js"

/** Syft's own image, which makes an inventory of an image's packages: https://github.com/anchore/syft */
export const defaultSbomImage =
  "anchore/syft:v1.51.0@sha256:678bfa565b60f747aac0f8e964fe5588a24445b8d0a480e91f6efd70020dfbb0"

/** The type of an SBOM as a predicate, and as a file (SPDX 2.3, "Media Type" application/spdx+json). */
export const sbomType = "https://spdx.dev/Document"
export const sbomMediaType = "application/spdx+json"

const output = "/tmp/sbom.spdx.json"

/** The value of `--sbom-image` for no SBOM. */
export const noSbom = "none"

/** An SBOM, and the platform of its image. */
export type Sbom = { platform: string; body: Buffer }

/** The SBOMs of the built images, which may still be in the making. */
export type Scans = Promise<Sbom[]>

/** Starts to make the SBOMs of the built images, in parallel with the push. Undefined if there should be none. */
export function scanImages(
  images: Container[],
  { sbomImage }: Settings,
  uri: string,
  version: string,
): Scans | undefined {
  if (sbomImage === noSbom) return undefined
  const scanner = dag.container().from(sbomImage)
  const scans = Promise.all(
    images.map(async image => {
      const [platform, body] = await Promise.all([
        image.platform(),
        makeSbom(scanner, image, { name: uri, version }),
      ])
      return { platform, body }
    }),
  )
  // Awaited once the push is over.
  scans.catch(() => {})
  return scans
}

/**
 * Matches each image in the registry with its SBOM. Engines list an index's images in their own order, so only the platform tells
 * which is which.
 *
 * @throws Error if no SBOM was made for one of an index's platforms
 */
export function sbomsOf(
  images: { digest: string; platform?: string }[],
  sboms: Sbom[],
): { digest: string; body: Buffer }[] {
  if (sboms.length === 0) return []
  return images.map(({ digest, platform = "" }) => {
    const found =
      images.length === 1 && sboms.length === 1
        ? sboms[0]
        : sboms.find(it => normalized(it.platform) === normalized(platform))
    if (!found) throw new Error(`no SBOM was made for the image of ${platform || "an unknown platform"}`)
    return { digest, body: found.body }
  })
}

/**
 * Loads the scanner, before a version is claimed: without it there would be no SBOM.
 *
 * @throws UserError if its image cannot be pulled
 */
export async function loadScanner({ sbomImage }: Settings): Promise<void> {
  if (sbomImage === noSbom) return
  try {
    await dag.container().from(sbomImage).sync()
  } catch (error) {
    throw new UserError(
      `${sbomImage.split("@")[0]}, which makes the SBOM, cannot be pulled.`,
      (error as Error).message.split("\n", 1)[0],
      "Pass a mirror of it with --sbom-image, or --sbom-image none for no SBOM.",
    )
  }
}

/**
 * Makes the SBOM of an image: which packages are installed in it, as SPDX 2.3 in JSON. It only reads the image's files, and runs none
 * of them.
 *
 * @param scanner a container of Syft's image
 * @param name the repository's address and the version, which the SBOM names as its subject
 * @throws ExecError if Syft fails, with its output
 */
async function makeSbom(
  scanner: Container,
  image: Container,
  { name, version }: { name: string; version: string },
): Promise<Buffer> {
  const named = ["--source-name", name, "--source-version", version]
  const text = await scanner
    .withMountedDirectory("/image", image.rootfs())
    .withEnvVariable("SYFT_CHECK_FOR_APP_UPDATE", "false")
    // No checksum of each file: the image's digest covers them, and it would take most of the time.
    .withEnvVariable("SYFT_FILE_METADATA_SELECTION", "none")
    // As for an image: what is installed, not what a lock file in some folder lists.
    .withExec(
      [
        ...["scan", "dir:/image", "--base-path", "/image", "--override-default-catalogers", "image"],
        ...["--quiet", "-o", `spdx-json=${output}`, ...named],
      ],
      { useEntrypoint: true },
    )
    .file(output)
    .contents()
  return checked(text)
}

function checked(text: string): Buffer {
  try {
    if (typeof JSON.parse(text).spdxVersion === "string") return Buffer.from(text)
  } catch {
    // Reported below.
  }
  throw new UserError(
    "The SBOM is not SPDX in JSON.",
    `It begins: ${text.slice(0, 200)}`,
    "Set --sbom-image to an image of Syft 1, or to none: --sbom-image none",
  )
}
