import { Command } from "commander";
import { agentProgram } from "../../config/programs/agent-config.ts";
import { addConfigOptions, configOf } from "../config-options.ts";
import type { CliContext } from "../context.ts";

const examples = `
Examples:
  $ evenkeel agent --cluster prod-1
  $ evenkeel agent --cluster prod-1 --server https://evenkeel.example --token-file /var/run/evenkeel/token
  $ evenkeel agent --cluster prod-1 --kinds v1/pods,apps/v1/deployments --namespaces shop
`;

/** `evenkeel agent` */
export function createAgentCommand(context: CliContext): Command {
  const command = new Command("agent").summary("run the agent of one cluster");
  command
    .description("Stream a cluster's objects to a server, and compare them with Postgres when asked.")
    .addHelpText("after", examples);
  return addConfigOptions(command, agentProgram).action(async () => {
    await context.programs.runAgent(context.signal, configOf(agentProgram, command, context));
  });
}
