/** Whether a secret may be sent to an address: over HTTPS, or over plain HTTP to this machine. */
export function isSafe({ protocol, hostname }: URL): boolean {
  return (
    protocol === "https:" ||
    (protocol === "http:" && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname))
  )
}
