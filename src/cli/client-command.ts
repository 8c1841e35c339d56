import type { Command } from "commander";
import { isExposed } from "../config/is-exposed.ts";
import { clientProgram } from "../config/programs/client.ts";
import { createTokenSource } from "../lib/token-source.ts";
import { addConfigOptions, configOf } from "./config-options.ts";
import type { CliContext } from "./context.ts";
import { createFleetClient, type FleetClient } from "./fleet-client.ts";
import type { OutputFormat } from "./output/message.ts";
import { createOutputOption } from "./output-option.ts";

/** What an action of a client command works with. */
export interface ClientCall {
  readonly client: FleetClient;
  readonly format: OutputFormat;
}

/** Gives a command that asks a server its flags: `--server`, `--token-file`, `--config` and `--output`. */
export function addClientOptions(command: Command): Command {
  command.addOption(createOutputOption("How to print; json and yaml as Protobuf's JSON mapping"));
  return addConfigOptions(command, clientProgram);
}

/** The client and the format that a command's flags ask for. */
export async function toClientCall(command: Command, context: CliContext): Promise<ClientCall> {
  const { server, token, tokenFile } = configOf(clientProgram, command, context);
  const source = createTokenSource({ token, tokenFile });
  if (source !== undefined && isExposed(server)) {
    context.tell(`The token goes to ${server} without TLS: others may read it on the way.\n`);
  }
  // `choices` has refused everything else.
  const { output } = command.opts<{ output: OutputFormat }>();
  return { client: await createFleetClient(server, source), format: output };
}
