import { Command } from "commander";
import { backendProgram } from "../../config/programs/backend-config.ts";
import { addConfigOptions, configOf } from "../config-options.ts";
import type { CliContext } from "../context.ts";

const examples = `
Examples:
  $ evenkeel backend --database-url postgres://evenkeel@db/evenkeel --bus-url ws://pulsar:8080 \\
      --auth-public-keys tokens.key.pub --host 0.0.0.0
  $ evenkeel backend --config backend.yaml --probe-port 9090
`;

/** `evenkeel backend` */
export function createBackendCommand(context: CliContext): Command {
  const command = new Command("backend").summary("run a backend: agents connect to it, people ask it");
  command
    .description(
      "Run a backend: it holds agents' sessions, puts what they say on Pulsar, and answers FleetService. Run as many as there is need; agents may connect to any.",
    )
    .addHelpText("after", examples);
  return addConfigOptions(command, backendProgram).action(async () => {
    await context.programs.runBackend(context.signal, configOf(backendProgram, command, context));
  });
}
