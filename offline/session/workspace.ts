import { existsSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { engineVersion } from "./engine.js"
import { UserError } from "./errors.js"
import { hostFields } from "./host.js"
import { Recipe } from "./recipe.js"
import type { Field, Fields } from "./session.js"

/** The caller's repository, or its folder where that is in none. */
export interface WorkspaceValue {
  /** What "/" means: the nearest folder upward with an entry named .git. */
  root: string
  /** What "." means, from the root: the caller's folder; to engine v0.20.0 the root. */
  path: string
}

/** The workspace around a folder, as a recipe that says which it is: calls from two repositories are two calls. */
export function findWorkspace(folder: string): Recipe {
  let root = folder
  while (!existsSync(join(root, ".git")) && root !== dirname(root)) root = dirname(root)
  if (!existsSync(join(root, ".git"))) root = folder
  const path = engineVersion() === "v0.20.0" ? "." : relative(root, folder) || "."
  return new Recipe("Workspace", "currentWorkspace", { root, path })
}

/** Query.currentWorkspace, by the recipe that findWorkspace gave. */
export const currentWorkspace: Field = (_, __, { root, path }): WorkspaceValue => ({ root, path })

/** Fields of Workspace. */
export const workspaceFields: Fields[string] = {
  directory: (session, workspace: WorkspaceValue, { path, ...filter }, recipe) =>
    hostFields.directory?.(session, undefined, { ...filter, path: within(workspace, path) }, recipe),
  file: (session, workspace: WorkspaceValue, { path }, recipe) =>
    hostFields.file?.(session, undefined, { path: within(workspace, path) }, recipe),
  findUp: (_, workspace: WorkspaceValue, { name, from }) => {
    for (let folder = within(workspace, from); ; folder = dirname(folder)) {
      const found = relative(workspace.root, join(folder, name))
      if (existsSync(join(folder, name))) return engineVersion() === "v0.20.0" ? found : `/${found}`
      if (folder === workspace.root) return null
    }
  },
}

/** A path of a workspace on the host: "/…" is from the root, others from the workspace's own folder. */
function within({ root, path }: WorkspaceValue, wanted: string): string {
  const full = wanted.startsWith("/") ? join(root, wanted) : resolve(root, path, wanted)
  if (/^\.\.(\/|$)/.test(relative(root, full))) {
    throw new UserError(`path ${JSON.stringify(wanted)} is outside of the workspace ${root}`)
  }
  return full
}
