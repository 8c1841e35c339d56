import { Command } from "commander";
import { serverProgram } from "../../config/programs/server.ts";
import { addConfigOptions, configOf } from "../config-options.ts";
import type { CliContext } from "../context.ts";

const examples = `
Examples:
  $ evenkeel server --database-url postgres://evenkeel:secret@localhost/evenkeel --insecure-no-auth
  $ evenkeel server --host 0.0.0.0 --auth-public-keys /etc/evenkeel/tokens.pub
  $ evenkeel server --config server.yaml --port 7171
`;

/** `evenkeel server` */
export function createServerCommand(context: CliContext): Command {
  const command = new Command("server").summary("run the server: agents connect to it, people ask it");
  command
    .description(
      "Run backend and ingester in one process on one port, which speaks Connect, gRPC and gRPC-Web.",
    )
    .addHelpText("after", examples);
  return addConfigOptions(command, serverProgram).action(async () => {
    await context.programs.runServer(context.signal, configOf(serverProgram, command, context));
  });
}
