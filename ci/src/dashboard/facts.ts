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
  /** What the address of a commit's page begins with, if the repository's host is known. */
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

/** A service, and when the commits were made that each deployed commit brought to it: its id, and seconds since 1970. */
export type ServiceFacts = { where: ServiceRef; times: [commit: string, times: number[]][] }

/** A version with what it changed. */
export type ReleaseFacts = {
  version: string
  /** ISO 8601. */
  date: string
  /** Whether HEAD would release it: it is not released yet. */
  pending: boolean
  changes: { what: string; commit: string; breaking: boolean; type: string }[]
}
