import { ConnectError } from "@connectrpc/connect";
import { Command, CommanderError } from "commander";
import { isAbortError } from "../lib/abort.ts";
import { ConfigError, toMessage } from "../lib/errors.ts";
import { hideCredentials } from "../lib/hide-credentials.ts";
import { escapeControls } from "../lib/text.ts";
import { createAdminCommand } from "./commands/admin.ts";
import { createClusterCommand, createClustersCommand } from "./commands/clusters.ts";
import { createDeletionsCommand } from "./commands/deletions.ts";
import { createDlqCommand } from "./commands/dlq.ts";
import { createObjectCommand, createObjectsCommand } from "./commands/objects.ts";
import { createProgramCommands } from "./commands/programs.ts";
import { createReconcileCommand } from "./commands/reconcile.ts";
import { createRunCommand, createRunsCommand } from "./commands/runs.ts";
import { createTokenCommand } from "./commands/token.ts";
import type { CliContext } from "./context.ts";

const description =
  "A central copy of the objects of many Kubernetes clusters in Postgres, kept correct by reconciliation.";

const examples = `
Examples:
  $ evenkeel dev
  $ evenkeel clusters
  $ evenkeel reconcile dev

Each flag of the configuration has an environment variable, shown in its help, and a key in the --config file.
`;

/**
 * Creates the command line.
 *
 * @throws CommanderError for wrong usage, from its `parseAsync`.
 */
function createCli(context: CliContext, version: string, args: readonly string[]): Command {
  const cli = new Command("evenkeel")
    .description(description)
    .version(version, "-V, --version", "Show the version")
    .addHelpText("after", examples);
  const commands = [
    ...createProgramCommands(context),
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
    createDeletionsCommand(context),
  ];
  for (const command of commands) {
    cli.addCommand(command);
  }
  for (const command of withSubcommands(cli)) {
    command.exitOverride().showHelpAfterError("See --help.").helpOption("-h, --help", "Show this help");
    command.configureOutput({
      writeOut: context.print,
      writeErr: context.printError,
      // Errors of usage quote arguments, such as a misspelled flag with a database URL.
      outputError: (text, write) =>
        write(args.reduce((shown, arg) => shown.replaceAll(arg, () => hideCredentials(arg)), text)),
    });
  }
  return cli;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** Exit code of a process that a signal interrupted, as in shells. */
const INTERRUPTED = 130;

/**
 * Runs a command line and returns the exit code: 0 for success, 1 for failure, 2 for wrong usage. Prints one
 * message for an error; never throws.
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
  const print = (text: string): void => context.print(escapeControls(text, "\n"));
  const printError = (text: string): void => context.printError(escapeControls(text, "\n"));
  const safe = { ...context, print, printError, setExitCode };
  try {
    await createCli(safe, version, args).parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Also thrown for --help and --version; commander has printed the message.
      return error.exitCode === 0 ? 0 : 2;
    }
    if (context.signal.aborted && isInterruption(context.signal, error)) {
      return INTERRUPTED;
    }
    printError(`evenkeel: ${error instanceof ConnectError ? error.rawMessage : toMessage(error)}\n`);
    return error instanceof ConfigError ? 2 : 1;
  }
}

/** True if the error is only a result of the abort. */
function isInterruption(signal: AbortSignal, error: unknown): boolean {
  return error === signal.reason || isAbortError(error) || error instanceof ConnectError;
}
