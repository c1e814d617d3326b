import type { Directory, Secret, Service } from "@dagger.io/dagger"
import { UserError } from "./lib/errors.js"

/** What the module is told: its constructor's arguments, documented there. */
export type Settings = {
  source: Directory
  gitDir?: Directory
  path: string
  tagPrefix: string
  branch: string
  gitRemote: string
  gitUsername: string
  gitToken?: Secret
  gitEndpoint?: Service
  gitImage: string
  context: string
  dockerfile: string
  testTarget: string
  reportTarget: string
  reportPath: string
  runtimeTarget: string
  platform: string
  buildArgs: string[]
  region: string
  repository: string
  cluster: string
  service: string
  container: string
  template: string
  url: string
  awsAccessKeyId?: Secret
  awsSecretAccessKey?: Secret
  awsSessionToken?: Secret
  awsEndpoint?: Service
}

/** A setting that has to be there. */
export function required(value: string, what: string, flag: string): string {
  if (value !== "") return value
  throw new UserError(`No ${what} is set.`, "", `Pass ${flag}, or set it in the .env beside dagger.json`)
}

/** The service that is deployed to. */
export function targetOf({ cluster, service, container }: Settings) {
  return {
    cluster: required(cluster, "ECS cluster", "--cluster"),
    service: required(service, "ECS service", "--service"),
    container: container || undefined,
  }
}

/** The service, and where the settings of a deployment come from. */
export function deploymentOf(settings: Settings) {
  return { ...targetOf(settings), template: settings.template || undefined }
}
