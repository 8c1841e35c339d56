import { Command } from "commander";
import { dlqProgram } from "../../config/programs/dlq-config.ts";
import { addConfigOptions } from "../config-options.ts";
import type { CliContext } from "../context.ts";
import { openDeadLetters } from "./open-dead-letter-queue.ts";

const examples = `
What a dropped letter said of objects is found and mended by the next reconciliation run.

Examples:
  $ evenkeel dlq drop 163:0 --bus-url ws://pulsar:8080
`;

/** `evenkeel dlq drop ID...` */
export function createDlqDropCommand(context: CliContext): Command {
  const command = new Command("drop").summary("forget dead letters");
  command
    .description("Forget dead letters, for good.")
    .argument("<id...>", 'identities of letters, from "evenkeel dlq list"')
    .addHelpText("after", examples);
  return addConfigOptions(command, dlqProgram).action(async (ids: string[]) => {
    await using letters = await openDeadLetters(command, context);
    for await (const { id } of letters.drop(context.signal, ids)) {
      context.print(`dropped ${id}\n`);
    }
  });
}
