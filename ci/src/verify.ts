import { type Identity, identityOf } from "./aws/account.js"
import type { Aws } from "./aws/clients.js"
import type { Service } from "./aws/types.js"
import { Registry } from "./ecr/registry.js"
import { describeRevision } from "./ecs/revision.js"
import { openService, revisionOf, type Target } from "./ecs/service.js"
import { required, type ServiceRef, type Settings, servicesOf } from "./settings.js"
import { type Check, check, type Look, orMissing, type Scene, Wrong } from "./verify/check.js"
import { logLooks } from "./verify/log.js"
import { balancerLooks, networkLooks, quotaLooks } from "./verify/network.js"
import { roleLooks } from "./verify/role.js"
import { secretLooks } from "./verify/secret.js"
import {
  checkContainers,
  checkPlatform,
  checkRollback,
  checkService,
  compressionLooks,
  hookLooks,
} from "./verify/service.js"

/**
 * Checks everything that a deployment needs, as far as it can be checked in advance. It changes nothing, and reads no secret's value.
 *
 * @returns one check per thing, in order
 * @throws UserError if AWS cannot be called at all
 */
export async function verify(aws: Aws, settings: Settings): Promise<Check[]> {
  const caller = await identityOf(aws)
  const { account, arn } = caller
  const identity: Check = {
    name: "credentials",
    result: "ok",
    text: `account ${account}, ${settings.region}, as ${arn}`,
    blocks: true,
  }
  const registry = await check(aws, {
    name: "registry",
    blocks: true,
    work: () => checkRegistry(aws, settings),
  })
  const targets = servicesOf(settings)
  const services = await Promise.all(targets.map(where => verifyService(aws, settings, where, caller)))
  return [identity, registry, ...services.flat()]
}

async function verifyService(
  aws: Aws,
  settings: Settings,
  where: ServiceRef,
  caller: Identity,
): Promise<Check[]> {
  const prefix = where.someContainers ? `${where.service}: ` : ""
  const target = await openService(aws, where)
  let scene: Scene | undefined
  const first = await check(aws, {
    name: `${prefix}service`,
    blocks: true,
    work: async () => {
      const service = await findService(target)
      const { definition } = await orMissing(
        () => describeRevision(target, where.template ?? revisionOf(service)),
        /^ClientException/,
        `There is no task definition ${where.template ?? revisionOf(service)}.`,
        "Set --template to a family that is registered.",
      )
      scene = { aws, caller, where, settings, service, definition }
      return checkService(scene)
    },
  })
  return scene === undefined ? [first] : [first, ...(await verifyScene(scene, prefix))]
}

async function findService(target: Target): Promise<Service> {
  const { cluster, service } = target
  const missing = `There is no service "${service}" in the cluster "${cluster}".`
  const { services } = await orMissing(
    () => target.client.describeServices({ cluster, services: [service] }),
    /^(ClusterNotFound|ServiceNotFound)/,
    missing,
    "Correct --cluster and --service, or --region.",
  )
  const [found] = services ?? []
  if (found) return found
  throw new Wrong(missing, "", "Correct --cluster and --service, or --region.")
}

async function verifyScene(scene: Scene, prefix: string): Promise<Check[]> {
  const { aws } = scene
  const looks: Look[] = [
    { name: "containers", blocks: true, work: async () => checkContainers(scene) },
    { name: "platform", blocks: true, work: async () => checkPlatform(scene) },
    ...compressionLooks(scene),
    ...balancerLooks(scene),
    ...roleLooks(scene),
    ...secretLooks(scene),
    ...logLooks(scene),
    ...networkLooks(scene),
    ...quotaLooks(scene),
    { name: "rollback", work: async () => checkRollback(scene) },
    ...hookLooks(scene),
  ]
  return Promise.all(looks.map(look => check(aws, { ...look, name: `${prefix}${look.name}` })))
}

async function checkRegistry(aws: Aws, { repository: name }: Settings): Promise<string> {
  const repository = required(name, "ECR repository", "--repository")
  const { uri, tagsCanMove } = await orMissing(
    () => Registry.open(aws, repository),
    /^RepositoryNotFound/,
    `There is no ECR repository "${repository}" in ${aws.region}.`,
    "Create it, or set --repository or --region.",
  )
  return tagsCanMove ? `${uri}; its tags can be moved to other images: make them immutable` : uri
}
