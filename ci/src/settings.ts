import type { Directory, Secret, Service } from "@dagger.io/dagger"

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
