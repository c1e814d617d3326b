import { Duration } from "aws-cdk-lib"
import { Alarm, ComparisonOperator, type Metric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch"
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions"
import { HttpCodeTarget } from "aws-cdk-lib/aws-elasticloadbalancingv2"
import { Topic } from "aws-cdk-lib/aws-sns"
import { Construct } from "constructs"
import type { Config } from "../config.js"
import type { Balancer } from "./balancer.js"

/** The alarms that ECS watches during a deployment: if any of them goes off, the deployment is rolled back. */
export class Alarms extends Construct {
  readonly all: Alarm[] = []

  constructor(scope: Construct, id: string, config: Config, balancer: Balancer) {
    super(scope, id)
    const { name, alarms } = config
    const topic =
      alarms.topicArn === undefined ? undefined : Topic.fromTopicArn(this, "Topic", alarms.topicArn)
    const alarm = (part: string, alarmDescription: string, metric: Metric, threshold: number) => {
      const created = new Alarm(this, part, {
        alarmName: `${name}-${part}`,
        alarmDescription,
        metric,
        threshold,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods: 5,
        datapointsToAlarm: 3,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      })
      if (topic !== undefined) created.addAlarmAction(new SnsAction(topic))
      this.all.push(created)
    }

    const minute = { period: Duration.minutes(1) }
    const groups = [
      ["blue", balancer.blue],
      ["green", balancer.green],
    ] as const
    for (const [colour, group] of groups) {
      if (group === undefined) continue
      const errors = group.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, minute)
      alarm(`errors-${colour}`, "The service answers with status 5xx", errors, alarms.serverErrors)
      alarm(
        `unhealthy-${colour}`,
        "Tasks fail their health check",
        group.metrics.unhealthyHostCount({ ...minute, statistic: "Maximum" }),
        1,
      )
    }
  }
}
