import { EventBus } from "aws-cdk-lib/aws-events"
import { Alias } from "aws-cdk-lib/aws-kms"
import { Topic } from "aws-cdk-lib/aws-sns"
import { Construct } from "constructs"
import type { Names } from "./names.js"

/** Where releases send notifications: subscribe to the topic, or add a rule to the bus. */
export class Notify extends Construct {
  /** The value for `--notify`. */
  readonly arn: string

  constructor(scope: Construct, id: string, names: Names, where: "SNS" | "EVENTBRIDGE") {
    super(scope, id)
    const description = "The progress of releases: when they start, wait for a person, and end"
    this.arn =
      where === "SNS"
        ? new Topic(this, "Topic", {
            topicName: names.releases,
            displayName: description,
            enforceSSL: true,
            // AWS's own key for SNS, which costs nothing and needs no permissions.
            masterKey: Alias.fromAliasName(this, "Key", "alias/aws/sns"),
          }).topicArn
        : new EventBus(this, "Bus", { eventBusName: names.releases, description }).eventBusArn
  }
}
