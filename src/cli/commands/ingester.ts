import { Command } from "commander";
import { ingesterProgram } from "../../config/programs/ingester.ts";
import { addConfigOptions, configOf } from "../config-options.ts";
import type { CliContext } from "../context.ts";

const examples = `
Examples:
  $ evenkeel ingester --database-url postgres://evenkeel@db/evenkeel --bus-url ws://pulsar:8080
  $ evenkeel ingester --config ingester.yaml --probe-port 9090
`;

/** `evenkeel ingester` */
export function createIngesterCommand(context: CliContext): Command {
  const command = new Command("ingester").summary("run an ingester: it writes to Postgres what is on Pulsar");
  command
    .description(
      "Run an ingester: it applies to Postgres what agents say, and answers what runs ask. Run as many as there is need; they share the clusters among them.",
    )
    .addHelpText("after", examples);
  return addConfigOptions(command, ingesterProgram).action(async () => {
    await context.programs.runIngester(context.signal, configOf(ingesterProgram, command, context));
  });
}
