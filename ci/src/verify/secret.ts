import type { Identity } from "../aws/account.js"
import { type Aws, secretsManager, ssm } from "../aws/clients.js"
import { UserError } from "../lib/errors.js"
import { type Look, orMissing, type Scene, Wrong } from "./check.js"

/** The secrets and parameters that containers get exist. */
export function secretLooks({ aws, caller, definition }: Scene): Look[] {
  const all = (definition.containerDefinitions ?? []).flatMap(
    ({ secrets = [], logConfiguration, repositoryCredentials }) => [
      ...secrets,
      ...(logConfiguration?.secretOptions ?? []),
      ...(repositoryCredentials
        ? [{ name: login, valueFrom: repositoryCredentials.credentialsParameter }]
        : []),
    ],
  )
  const names = new Map(all.map(({ name = "", valueFrom = "" }) => [valueFrom, name]))
  return [...names].map(([from, name]) => ({
    name: `secret ${name}`,
    blocks: true,
    work: () => (name === login ? checkManaged(aws, from) : checkSecret(aws, caller, from)),
  }))
}

/** The name of the check for a private registry's secret, which may be given by its name (ECS API reference, RepositoryCredentials). */
const login = "registry login"

async function checkSecret(aws: Aws, { account }: Identity, from: string): Promise<string> {
  const parts = from.split(":")
  if (parts[2] === "secretsmanager") return checkManaged(aws, from)
  const there = regionOf(aws, parts)
  if (parts[0] === "arn" && parts[4] !== account)
    throw new UserError(`It belongs to account ${parts[4]}, which is not checked.`)
  const name = parts[0] === "arn" ? from.replace(/^.*?:parameter/, "") : from
  const client = await ssm(there)
  const known = [...new Set([name, name.replace(/^\//, "")])]
  const filter = { ParameterFilters: [{ Key: "Name", Option: "Equals", Values: known }] }
  let NextToken: string | undefined
  do {
    // A page may be empty although others follow.
    const page = await client.describeParameters({ ...filter, NextToken })
    if (page.Parameters?.some(it => known.includes(it.Name ?? ""))) return name
    NextToken = page.NextToken
  } while (NextToken)
  throw new Wrong(
    `There is no parameter ${name} in ${there.region}.`,
    "",
    "Create it, or correct valueFrom in the task definition.",
  )
}

function regionOf(aws: Aws, arn: string[]): Aws {
  return arn[0] === "arn" && arn[3] ? { ...aws, region: arn[3] } : aws
}

/** A secret of AWS Secrets Manager exists and has a value; the value is not read. */
async function checkManaged(aws: Aws, from: string): Promise<string> {
  const parts = from.split(":")
  // After the name come a key of its JSON, a stage and a version (ECS developer guide, "Secrets Manager secrets").
  const id = parts[0] === "arn" ? parts.slice(0, 7).join(":") : from
  const [stage = "", version = ""] = parts.slice(8)
  const client = await secretsManager(regionOf(aws, parts))
  const { DeletedDate, VersionIdsToStages = {} } = await orMissing(
    () => client.describeSecret({ SecretId: id }),
    /^ResourceNotFound/,
    `There is no secret ${id}.`,
    "Create it, or correct valueFrom in the task definition.",
  )
  if (DeletedDate) {
    throw new Wrong(
      `The secret ${id} is being deleted.`,
      `Since ${DeletedDate.toISOString()}.`,
      "Restore it, or remove it from the task definition.",
    )
  }
  const wanted = version || stage || "AWSCURRENT"
  const stages = Object.values(VersionIdsToStages).flat()
  const isThere = version ? version in VersionIdsToStages : stages.includes(wanted)
  if (isThere) return id.split(":").at(-1) ?? id
  throw new Wrong(
    `The secret ${id} has no value ${wanted}.`,
    stages.length === 0 ? "It has none at all." : `It has: ${stages.join(", ")}.`,
    "Set one (aws secretsmanager put-secret-value), or correct valueFrom in the task definition.",
  )
}
