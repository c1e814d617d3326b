import { container, containerFields } from "./container.js"
import { pathFields } from "./containerPaths.js"
import { directory, directoryFields } from "./directory.js"
import { engineVersion } from "./engine.js"
import { file, fileFields } from "./file.js"
import { hostFields } from "./host.js"
import { platformOf } from "./image.js"
import { publishFields } from "./publish.js"
import { secret, secretFields, setSecret } from "./secret.js"
import { asService, serviceFields } from "./service.js"
import { type Fields, MARK } from "./session.js"
import { keyOf } from "./store.js"
import { currentWorkspace, workspaceFields } from "./workspace.js"

/** How each field of the schema is made. */
export const fields: Fields = {
  Query: {
    container,
    directory,
    file,
    secret,
    setSecret,
    host: () => ({}),
    currentWorkspace,
    // Objects of lists (variables, labels, ports) hold what they are.
    value: (_, __, value) => value,
    version: () => engineVersion(),
    defaultPlatform: session => platformOf(session),
    cacheVolume: (session, _, { key }) => ({ volume: `${MARK}-${session.place}-${keyOf(key).slice(0, 20)}` }),
  },
  Host: hostFields,
  Workspace: workspaceFields,
  Container: { ...containerFields, ...pathFields, ...publishFields, asService },
  Directory: directoryFields,
  File: fileFields,
  Secret: secretFields,
  Service: serviceFields,
  EnvVariable: parts("name", "value"),
  Label: parts("name", "value"),
  Port: parts("port", "protocol"),
}

/** Fields that are parts of the value. */
function parts(...names: string[]): Fields[string] {
  return Object.fromEntries(names.map(name => [name, (_, value) => value[name] ?? null]))
}
