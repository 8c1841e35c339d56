import { Command, Option } from "commander";
import { dlqProgram } from "../../config/programs/dlq-config.ts";
import type { KeptLetter } from "../../event/dead-letter-queue.ts";
import { NotFoundError } from "../../lib/errors.ts";
import { addConfigOptions } from "../config-options.ts";
import type { CliContext } from "../context.ts";
import { toLetterDocument } from "../output/dead-letter.ts";
import { formatJson } from "../output/format-json.ts";
import { openDeadLetters } from "./open-dead-letter-queue.ts";

interface DlqShowFlags {
  readonly contents?: true;
  readonly output: "json" | "yaml";
}

const examples = `
Examples:
  $ evenkeel dlq show 163:0 --bus-url ws://pulsar:8080
  $ evenkeel dlq show 163:0 --contents --output json
`;

/** `evenkeel dlq show ID` */
export function createDlqShowCommand(context: CliContext): Command {
  const command = new Command("show").summary("show a dead letter");
  const output = new Option("-o, --output <format>", "How to print");
  command
    .description("Show a dead letter, decoded, and why it could not be applied. It stays.")
    .argument("<id>", 'identity of the letter, from "evenkeel dlq list"')
    .option("--contents", "with the contents of objects, which may be secret")
    .addOption(output.choices(["json", "yaml"]).default("yaml"))
    .addHelpText("after", examples);
  return addConfigOptions(command, dlqProgram).action(async (id: string, flags: DlqShowFlags) => {
    await using letters = await openDeadLetters(command, context);
    const letter = await find(letters.read(context.signal), id);
    context.print(formatJson(toLetterDocument(letter, flags.contents === true), flags.output));
  });
}

async function find(letters: AsyncIterable<KeptLetter>, id: string): Promise<KeptLetter> {
  for await (const letter of letters) {
    if (letter.id === id) {
      return letter;
    }
  }
  throw new NotFoundError(`there is no dead letter ${id}: "evenkeel dlq list" shows them`);
}
