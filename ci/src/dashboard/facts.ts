import type { ServiceRef } from "../settings.js"

/** What is known when the dashboard starts: where to look, and what git says. */
export type Facts = {
  /** When git was read, ISO 8601. */
  read: string
  apps: AppFacts[]
}

/** What is known of an app. */
export type AppFacts = {
  /** "" for the only one. */
  name: string
  /** What a release of HEAD would do, in words. */
  outlook: string
  /** HEAD's version; "" if it has none. */
  head: string
  /** The URL of a commit's page, up to the commit ID, if the repository's host is known. */
  commits?: string
  places: PlaceFacts[]
  /** The newest first. */
  releases: ReleaseFacts[]
}

/** Where an app runs. */
export type PlaceFacts = {
  /** "" if there are no stages. */
  stage: string
  region: string
  account: string
  roleArn: string
  url: string
  services: ServiceFacts[]
}

/** A service, and for each commit deployed to it the times of the commits that came with it: the commit's ID, and seconds since 1970. */
export type ServiceFacts = { where: ServiceRef; times: [commit: string, times: number[]][] }

/** A version and its changes. */
export type ReleaseFacts = {
  version: string
  /** ISO 8601. */
  date: string
  /** Whether it is not released yet: it is the version that HEAD would release. */
  pending: boolean
  changes: { what: string; commit: string; breaking: boolean; type: string }[]
}
