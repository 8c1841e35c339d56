import { Command } from "commander";
import { dlqProgram } from "../../config/programs/dlq-config.ts";
import { addConfigOptions } from "../config-options.ts";
import type { CliContext } from "../context.ts";
import { openDeadLetters } from "./open-dead-letter-queue.ts";

const examples = `
A letter that is applied in vain again comes back as a new one. One that comes too late does no harm: what was said
about an object after it stays.

Examples:
  $ evenkeel dlq retry 163:0 --bus-url ws://pulsar:8080
  $ evenkeel dlq list -o json | jq -r '.deadLetters[].id' | xargs evenkeel dlq retry
`;

/** `evenkeel dlq retry ID...` */
export function createDlqRetryCommand(context: CliContext): Command {
  const command = new Command("retry").summary("apply dead letters again");
  command
    .description("Put dead letters back among the events, once what made them fail is mended.")
    .argument("<id...>", 'identities of letters, from "evenkeel dlq list"')
    .addHelpText("after", examples);
  return addConfigOptions(command, dlqProgram).action(async (ids: string[]) => {
    await using letters = await openDeadLetters(command, context);
    for await (const { id } of letters.retry(context.signal, ids)) {
      context.print(`retried ${id}\n`);
    }
  });
}
