import { type Container, dag } from "@dagger.io/dagger"
import { UserError } from "../lib/errors.js"

/** Syft's own image, which makes an inventory of an image's packages: https://github.com/anchore/syft */
export const defaultSbomImage =
  "anchore/syft:v1.51.0@sha256:678bfa565b60f747aac0f8e964fe5588a24445b8d0a480e91f6efd70020dfbb0"

/** The type of an SBOM as a predicate, and as a file (SPDX 2.3, "Media Type" application/spdx+json). */
export const sbomType = "https://spdx.dev/Document"
export const sbomMediaType = "application/spdx+json"

const output = "/tmp/sbom.spdx.json"

/**
 * Makes the SBOM of an image: which packages are installed in it, as SPDX 2.3 in JSON. It reads the image's files, and runs nothing
 * of them.
 *
 * @param scanner a container of Syft's image
 * @param name the repository's address, and the version: what the SBOM says that it is of
 * @throws ExecError if Syft fails, with its output
 */
export async function scan(
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
    // As for an image: what is installed, not what a lock file of some folder lists.
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
    // Told below.
  }
  throw new UserError(
    "The SBOM is not SPDX in JSON.",
    `It begins: ${text.slice(0, 200)}`,
    "Set --sbom-image to an image of Syft 1, or to none: --sbom-image none",
  )
}

/** A container of Syft's image. */
export function scannerOf(image: string): Container {
  return dag.container().from(image)
}
