/** Name and version of the form that JSON output has (docs/schema/output.v1.json). Fields may be added; none changes or goes. */
export const outputSchema = "ecs-release/v1"
