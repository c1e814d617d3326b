import { UserError } from "./errors.js"
import { readFile } from "./rootfs.js"
import type { Session } from "./session.js"
import type { ContainerValue } from "./values.js"

/**
 * The numbers of an owner given as `user`, `user:group`, `1000` or `1000:1000`. Names are looked up in the container's
 * /etc/passwd and /etc/group; without a group it is the user's number, as the engine has it. "" is root.
 */
export async function ownerIds(session: Session, container: ContainerValue, owner: string) {
  const [user = "", group] = owner.split(":")
  const uid = user === "" ? 0 : await idOf(session, container, user, "/etc/passwd")
  const gid = group === undefined ? uid : await idOf(session, container, group, "/etc/group")
  return { uid, gid }
}

async function idOf(
  session: Session,
  container: ContainerValue,
  name: string,
  list: string,
): Promise<number> {
  if (/^\d+$/.test(name)) return Number(name)
  const file = await readFile(session, container, list)
  const line = session.store
    .read(file.entry.sha)
    .toString()
    .split("\n")
    .find(one => one.startsWith(`${name}:`))
  if (!line) throw new UserError(`there is no "${name}" in the container's ${list}`)
  return Number(line.split(":")[2])
}
