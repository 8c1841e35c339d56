import { Command } from "commander";
import { devProgram } from "../../config/programs/dev.ts";
import { addConfigOptions, configOf } from "../config-options.ts";
import type { CliContext } from "../context.ts";

const examples = `
Examples:
  $ evenkeel dev
  $ evenkeel dev --kubeconfig ~/.kube/config --no-drift
  $ evenkeel dev --reconcile-interval 30s --port 7171
`;

/** `evenkeel dev` */
export function createDevCommand(context: CliContext): Command {
  const command = new Command("dev").summary("run everything in this process, to try it out");
  command
    .description(
      "Run server, agent and an embedded Postgres in one process, with a simulated cluster or the one of a kubeconfig.",
    )
    .addHelpText("after", examples);
  return addConfigOptions(command, devProgram).action(async () => {
    await context.programs.runDev(context.signal, configOf(devProgram, command, context));
  });
}
