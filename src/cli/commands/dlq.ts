import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { createDlqDropCommand } from "./dlq-drop.ts";
import { createDlqListCommand } from "./dlq-list.ts";
import { createDlqRetryCommand } from "./dlq-retry.ts";
import { createDlqShowCommand } from "./dlq-show.ts";

const examples = `
Examples:
  $ evenkeel dlq list --bus-url ws://pulsar:8080
  $ evenkeel dlq show 163:0 --bus-url ws://pulsar:8080
  $ evenkeel dlq retry 163:0 --bus-url ws://pulsar:8080
`;

/** `evenkeel dlq ...` */
export function createDlqCommand(context: CliContext): Command {
  return new Command("dlq")
    .summary("look at messages that could not be applied, and decide about them")
    .description("Look at dead letters, which are messages that could not be applied, and decide about them.")
    .addCommand(createDlqListCommand(context))
    .addCommand(createDlqShowCommand(context))
    .addCommand(createDlqRetryCommand(context))
    .addCommand(createDlqDropCommand(context))
    .addHelpText("after", examples);
}
