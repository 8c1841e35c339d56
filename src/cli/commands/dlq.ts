import { Command, Option } from "commander";
import { dlqProgram } from "../../config/programs/admin.ts";
import { DeadLettersLockedError, type StoredDeadLetter } from "../../event/dead-letter.ts";
import { NotFoundError } from "../../lib/errors.ts";
import type { CliContext } from "../context.ts";
import { addConfigOptions, createLimitOption, createOutputOption } from "../options.ts";
import {
  type LetterSummary,
  toLetterDocument,
  toLetterJson,
  toLetterSummary,
} from "../output/dead-letter.ts";
import { formatJson, type OutputFormat } from "../output/message.ts";
import { formatAgo, formatTable } from "../output/table.ts";
import { openDeadLetters } from "./open-dead-letter-queue.ts";

const EXAMPLES = `
Examples:
  $ evenkeel dlq list --bus-url ws://pulsar:8080
  $ evenkeel dlq show 163:0 --bus-url ws://pulsar:8080
  $ evenkeel dlq retry 163:0 --bus-url ws://pulsar:8080
`;

/** `evenkeel dlq ...` */
export function createDlqCommand(context: CliContext): Command {
  return new Command("dlq")
    .summary("list, retry and drop dead letters")
    .description("List, show, retry and drop dead letters: messages that no ingester can apply.")
    .addCommand(createDlqListCommand(context))
    .addCommand(createDlqShowCommand(context))
    .addCommand(createDlqRetryCommand(context))
    .addCommand(createDlqDropCommand(context))
    .addHelpText("after", EXAMPLES);
}

interface DlqListFlags {
  readonly account?: string;
  readonly cluster?: string;
  readonly limit: number;
  readonly output: OutputFormat;
}

const LIST_EXAMPLES = `
Examples:
  $ evenkeel dlq list --bus-url ws://pulsar:8080
  $ evenkeel dlq list --account acme --cluster prod-1 --output json
`;

/** `evenkeel dlq list` */
function createDlqListCommand(context: CliContext): Command {
  const command = new Command("list").summary("list dead letters");
  command
    .description("List dead letters, oldest first, with the reason of each. Does not remove them.")
    .option("--account <name>", "Name of an account; unset: all accounts")
    .option("--cluster <name>", "Name of a cluster; unset: all clusters")
    .addOption(createLimitOption(100))
    .addOption(createOutputOption())
    .addHelpText("after", LIST_EXAMPLES);
  return addConfigOptions(command, dlqProgram).action(async (flags: DlqListFlags) => {
    await using letters = await openDeadLetters(command, context);
    const { signal, clock, print, printError } = context;
    const found: LetterSummary[] = [];
    let more = false;
    try {
      for await (const letter of letters.read(signal)) {
        const summary = toLetterSummary(letter);
        if (matches(summary, flags)) {
          more = found.length === flags.limit;
          if (more) {
            break;
          }
          found.push(summary);
        }
      }
    } catch (error) {
      if (!(error instanceof DeadLettersLockedError)) {
        throw error;
      }
      context.setExitCode(1);
      printError(`evenkeel: ${error.message}\n`);
    }
    print(
      flags.output === "table"
        ? formatLetters(clock.now(), found)
        : formatJson({ deadLetters: found.map(toLetterJson) }, flags.output),
    );
    if (more) {
      printError(
        "There are more dead letters; narrow them with --account and --cluster, or raise --limit.\n",
      );
    }
  });
}

function matches({ account, cluster }: LetterSummary, wanted: DlqListFlags): boolean {
  return account === (wanted.account ?? account) && cluster === (wanted.cluster ?? cluster);
}

function formatLetters(now: Date, letters: readonly LetterSummary[]): string {
  if (letters.length === 0) {
    return "There are no dead letters.\n";
  }
  return formatTable(
    ["ID", "TIME", "ACCOUNT", "CLUSTER", "BODY", "BYTES", "REDELIVERIES", "REASON"],
    letters.map(({ id, time, account, cluster, body, bytes, redeliveries, reason }) => [
      id,
      formatAgo(now, time),
      account,
      cluster,
      body,
      String(bytes),
      String(redeliveries),
      // One line each: a reason may contain line breaks.
      reason.replace(/\s+/g, " "),
    ]),
  );
}

interface DlqShowFlags {
  readonly contents?: true;
  readonly output: "json" | "yaml";
}

const SHOW_EXAMPLES = `
Examples:
  $ evenkeel dlq show 163:0 --bus-url ws://pulsar:8080
  $ evenkeel dlq show 163:0 --contents --output json
`;

/** `evenkeel dlq show ID` */
function createDlqShowCommand(context: CliContext): Command {
  const command = new Command("show").summary("show a dead letter");
  const output = new Option("-o, --output <format>", "Output format");
  command
    .description("Show a dead letter, decoded, with its reason. Does not remove it.")
    .argument("<id>", 'ID of the dead letter, as printed by "evenkeel dlq list"')
    .option("--contents", "Include contents of objects, which may be secret")
    .addOption(output.choices(["json", "yaml"]).default("yaml"))
    .addHelpText("after", SHOW_EXAMPLES);
  return addConfigOptions(command, dlqProgram).action(async (id: string, flags: DlqShowFlags) => {
    await using letters = await openDeadLetters(command, context);
    const letter = await find(letters.read(context.signal), id);
    context.print(formatJson(toLetterDocument(letter, flags.contents === true), flags.output));
  });
}

async function find(letters: AsyncIterable<StoredDeadLetter>, id: string): Promise<StoredDeadLetter> {
  for await (const letter of letters) {
    if (letter.id === id) {
      return letter;
    }
  }
  throw new NotFoundError(`no dead letter ${JSON.stringify(id)}; list them with "evenkeel dlq list"`);
}

const RETRY_EXAMPLES = `
If a message fails again, it returns to the dead-letter topic under a new ID. Retrying an old message is safe:
newer state always wins.

Examples:
  $ evenkeel dlq retry 163:0 --bus-url ws://pulsar:8080
  $ evenkeel dlq list -o json | jq -r '.deadLetters[].id' | xargs evenkeel dlq retry
`;

/** `evenkeel dlq retry ID...` */
function createDlqRetryCommand(context: CliContext): Command {
  const command = new Command("retry").summary("apply dead letters again");
  command
    .description("Publish dead letters as events again. Repair the cause of their failure first.")
    .argument("<id...>", 'IDs of dead letters, as printed by "evenkeel dlq list"')
    .addHelpText("after", RETRY_EXAMPLES);
  return addConfigOptions(command, dlqProgram).action(async (ids: string[]) => {
    await using letters = await openDeadLetters(command, context);
    for await (const { id } of letters.retry(context.signal, ids)) {
      context.print(`retried ${id}\n`);
    }
  });
}

const DROP_EXAMPLES = `
The next reconciliation run repairs everything that a dropped message would have changed.

Examples:
  $ evenkeel dlq drop 163:0 --bus-url ws://pulsar:8080
`;

/** `evenkeel dlq drop ID...` */
function createDlqDropCommand(context: CliContext): Command {
  const command = new Command("drop").summary("delete dead letters");
  command
    .description("Delete dead letters permanently.")
    .argument("<id...>", 'IDs of dead letters, as printed by "evenkeel dlq list"')
    .addHelpText("after", DROP_EXAMPLES);
  return addConfigOptions(command, dlqProgram).action(async (ids: string[]) => {
    await using letters = await openDeadLetters(command, context);
    for await (const { id } of letters.drop(context.signal, ids)) {
      context.print(`dropped ${id}\n`);
    }
  });
}
