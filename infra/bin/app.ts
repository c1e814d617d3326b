/** The entry point for the CDK's command line (cdk.json). */
import { App, Validations } from "aws-cdk-lib"
import { AwsSolutionsChecks } from "cdk-nag"
import { config } from "../config.js"
import { assertComplete } from "../lib/complete.js"
import { ReleaseStack } from "../lib/stack.js"

assertComplete(config)
const app = new App()
new ReleaseStack(app, config)
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
