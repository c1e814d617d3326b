import { EventBus } from "aws-cdk-lib/aws-events"
import { Alias } from "aws-cdk-lib/aws-kms"
import { Topic } from "aws-cdk-lib/aws-sns"
import { Construct } from "constructs"
import type { Names } from "./names.js"

/** Where releases tell how they go: who wants to know subscribes to the topic, or makes a rule on the bus. */
export class Notify extends Construct {
  /** What `--notify` takes. */
  readonly arn: string

  constructor(scope: Construct, id: string, names: Names, where: "SNS" | "EVENTBRIDGE") {
    super(scope, id)
    const description = "How releases go: they start, wait for a person, and end"
    this.arn =
      where === "SNS"
        ? new Topic(this, "Topic", {
            topicName: names.releases,
            displayName: description,
            enforceSSL: true,
            // AWS's own key for SNS, so that nothing has to be paid for or allowed.
            masterKey: Alias.fromAliasName(this, "Key", "alias/aws/sns"),
          }).topicArn
        : new EventBus(this, "Bus", { eventBusName: names.releases, description }).eventBusArn
  }
}
