/**
 * A platform as the engine and image indexes name it: without a variant that says nothing, such as `v8` for arm64 (containerd, package
 * `platforms`, `Normalize`).
 */
export function normalized(platform: string): string {
  const [os = "", architecture = "", variant = ""] = platform.toLowerCase().split("/")
  const implied = { amd64: "v1", arm64: "v8", arm: "v7" }[architecture]
  return [os, architecture, variant === implied ? "" : variant].filter(Boolean).join("/")
}
