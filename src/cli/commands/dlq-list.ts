import { Command } from "commander";
import { dlqProgram } from "../../config/programs/dlq-config.ts";
import { LettersHeldError } from "../../event/dead-letter-queue.ts";
import { addConfigOptions } from "../config-options.ts";
import type { CliContext } from "../context.ts";
import { createLimitOption } from "../options.ts";
import { formatJson } from "../output/format-json.ts";
import { type LetterSummary, toLetterJson, toLetterSummary } from "../output/letter-summary.ts";
import type { OutputFormat } from "../output/message.ts";
import { formatTable } from "../output/table.ts";
import { formatAgo } from "../output/time.ts";
import { createOutputOption } from "../output-option.ts";
import { openDeadLetters } from "./open-dead-letter-queue.ts";

interface DlqListFlags {
  readonly account?: string;
  readonly cluster?: string;
  readonly limit: number;
  readonly output: OutputFormat;
}

const examples = `
Examples:
  $ evenkeel dlq list --bus-url ws://pulsar:8080
  $ evenkeel dlq list --account acme --cluster prod-1 --output json
`;

/** `evenkeel dlq list` */
export function createDlqListCommand(context: CliContext): Command {
  const command = new Command("list").summary("list dead letters");
  command
    .description("List dead letters, the oldest first, and why they could not be applied. They stay.")
    .option("--account <name>", "only of this account")
    .option("--cluster <name>", "only of this cluster")
    .addOption(createLimitOption(100))
    .addOption(createOutputOption("How to print"))
    .addHelpText("after", examples);
  return addConfigOptions(command, dlqProgram).action(async (flags: DlqListFlags) => {
    await using letters = await openDeadLetters(command, context);
    const { signal, clock, print, tell } = context;
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
      if (!(error instanceof LettersHeldError)) {
        throw error;
      }
      context.setExitCode(1);
      tell(`evenkeel: ${error.message}\n`);
    }
    print(
      flags.output === "table"
        ? formatLetters(clock.now(), found)
        : formatJson({ deadLetters: found.map(toLetterJson) }, flags.output),
    );
    if (more) {
      tell(`There are more than these ${found.length}: see --limit, --account and --cluster.\n`);
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
      // One line each: a reason may be somebody else's text.
      reason.replace(/\s+/g, " "),
    ]),
  );
}
