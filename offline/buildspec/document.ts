import type { Live, Rehearsal } from "./rehearsal.js"

/**
 * The rehearsal as a page of documentation, in Markdown. Ports and durations, which differ from run to run, are left out.
 *
 * @param pictureName file name of the page's picture, beside the document
 */
export function documentText(rehearsal: Rehearsal, pictureName: string): string {
  const { first, before, change, project, result, after, again, afterAgain } = rehearsal
  return stable(`# A push becomes a release

This page is written by \`npm run rehearse\`, from what really happened: the offline stand-ins for AWS, for the git host and
for CodeBuild ran the repository's own module, \`buildspec.yml\` and CloudFormation template. Don't edit it.

## Before: a release from a laptop

\`\`\`console
$ dagger call release
${first.trim()}
\`\`\`

${seen(before)}

## The push

A change to the page is committed as \`${change.subject}\` and pushed to \`main\`:

\`\`\`diff
${change.diff}
\`\`\`

The repository's webhook starts CodeBuild, whose project \`${project}\` builds pushes to \`main\`. It clones the commit and runs
\`buildspec.yml\`:

${table([["Phase", "State"], ...result.phases.map(({ name, state }) => [name, state])])}

${table([["Exported variable", "Value"], ...Object.entries(result.exported).map(([name, value]) => [`\`${name}\``, `\`${value}\``])])}

${table([["Report", "Test cases"], ...Object.entries(result.reports).map(([name, counts]) => [`${project}-${name}`, counts])])}

## After: the new version is live

${seen(after)}

![The page, as a browser shows it](${pictureName})

## The same commit, from the laptop

The laptop releases the commit that CodeBuild already released. It finds the version and the image, and changes nothing:

\`\`\`console
$ dagger call release
${again.trim()}
\`\`\`

${same(after, afterAgain, result.exported.IMAGE ?? "")}

What differs between the two, and why it makes no difference:

| | Laptop | CodeBuild | Why it makes no difference |
| --- | --- | --- | --- |
| Clone | a work tree, on a branch | fresh, detached at the commit | the version follows from the commits and the remote's tags |
| AWS credentials | the user's | the build role's | both reach the module as Secrets |
| Git token | the user's | from Secrets Manager | the version's tag is pushed once: the first wins, the second finds it |
| Engine and cache | the laptop's | the build's own | the second to come takes the image from ECR, by its digest |
`)
}

function seen({ images, gitTags, taskDefinition, tasks, image, appVersion, answer }: Live): string {
  return table([
    ["Where", "What is there"],
    [
      "ECR",
      images.map(({ digest, tags }) => `${tags.map(code).join(" ")} → ${code(short(digest))}`).join("<br>"),
    ],
    ["Git tags", gitTags.map(code).join("<br>") || "none"],
    ["ECS service", `${code(taskDefinition)}, ${tasks} tasks running`],
    ["Its image", code(image)],
    ["Its `APP_VERSION`", code(appVersion)],
    ["`GET /version`", code(answer)],
  ])
}

function same(build: Live, laptop: Live, exported: string): string {
  const row = (name: string, of: (live: Live) => string) => [
    name,
    code(of(build)),
    code(of(laptop)),
    of(build) === of(laptop) ? "same" : "**differs**",
  ]
  const digest = ({ image }: Live) => image.replace(/^.*@/, "")
  return [
    table([
      ["", "After CodeBuild", "After the laptop", ""],
      row("Version", live => live.appVersion),
      row("Digest", digest),
      row("Task definition", live => live.taskDefinition),
      row("Images in ECR", live => `${live.images.length}`),
      row("Git tags", live => `${live.gitTags.length}`),
    ]),
    "",
    `CodeBuild exported ${code(exported)}, which is the image that is running.`,
  ].join("\n")
}

function table([head = [], ...rows]: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")
}

const code = (text: string) => `\`${text}\``
const short = (digest: string) => `${digest.slice(0, 19)}…`

/** Without what differs from run to run though nothing changed. */
function stable(text: string): string {
  return text.replace(/^time {2,}.*\n/gm, "").replace(/(127\.0\.0\.1|localhost):\d+/g, "$1:PORT")
}
