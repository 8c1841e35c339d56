import { ConnectError } from "@connectrpc/connect";
import { Command, CommanderError } from "commander";
import { ConfigError, toMessage } from "../lib/errors.ts";
import { createAdminCommand } from "./commands/admin.ts";
import { createClusterCommand, createClustersCommand } from "./commands/clusters.ts";
import { createDlqCommand } from "./commands/dlq.ts";
import { createObjectCommand, createObjectsCommand } from "./commands/objects.ts";
import {
  createAgentCommand,
  createBackendCommand,
  createDevCommand,
  createIngesterCommand,
  createMigrateCommand,
  createServerCommand,
} from "./commands/programs.ts";
import { createReconcileCommand } from "./commands/reconcile.ts";
import { createRunCommand, createRunsCommand } from "./commands/runs.ts";
import { createTokenCommand } from "./commands/token.ts";
import type { CliContext } from "./context.ts";

const description =
  "A central copy of many Kubernetes clusters' objects in Postgres, kept true by reconciliation.";

const examples = `
Examples:
  $ evenkeel dev                  everything on this machine, with a simulated cluster
  $ evenkeel clusters             what is connected, and since when it is verified
  $ evenkeel reconcile demo       compare now, and show what was wrong

Every flag has a variable of the environment, named in its help, and a key in the file that --config names.
`;

/** The command line. Errors of its use are thrown as commander's `CommanderError`. */
function createCli(context: CliContext, version: string): Command {
  const cli = new Command("evenkeel")
    .description(description)
    .version(version)
    .addHelpText("after", examples);
  const commands = [
    createDevCommand(context),
    createServerCommand(context),
    createBackendCommand(context),
    createIngesterCommand(context),
    createAgentCommand(context),
    createMigrateCommand(context),
    createTokenCommand(context),
    createAdminCommand(context),
    createDlqCommand(context),
    createClustersCommand(context),
    createClusterCommand(context),
    createObjectsCommand(context),
    createObjectCommand(context),
    createRunsCommand(context),
    createRunCommand(context),
    createReconcileCommand(context),
  ];
  for (const command of commands) {
    cli.addCommand(command);
  }
  for (const command of withSubcommands(cli)) {
    command.exitOverride().showHelpAfterError("See --help.");
    command.configureOutput({ writeOut: context.print, writeErr: context.printError });
  }
  return cli;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** What a process that was interrupted exits with when it has not reached its aim, as shells have it. */
const interrupted = 130;

/**
 * Runs a command line and returns what the process exits with: 0 when it did what was asked, 1 when that failed, 2 when
 * it was asked wrongly. Whatever fails is told in one message; never throws.
 */
export async function runCli(
  context: Omit<CliContext, "setExitCode">,
  version: string,
  args: readonly string[],
): Promise<number> {
  let exitCode = 0;
  const setExitCode = (code: number): void => {
    exitCode = code;
  };
  try {
    await createCli({ ...context, setExitCode }, version).parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version come this way too; commander has told the rest.
      return error.exitCode === 0 ? 0 : 2;
    }
    if (context.signal.aborted && isInterruption(context.signal, error)) {
      return interrupted;
    }
    context.printError(`evenkeel: ${error instanceof ConnectError ? error.rawMessage : toMessage(error)}\n`);
    return error instanceof ConfigError ? 2 : 1;
  }
}

/** Whether the error only says that the process was told to end. */
function isInterruption(signal: AbortSignal, error: unknown): boolean {
  return (
    error === signal.reason ||
    (error instanceof Error && error.name === "AbortError") ||
    error instanceof ConnectError
  );
}
