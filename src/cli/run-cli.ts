import { ConnectError } from "@connectrpc/connect";
import { CommanderError } from "commander";
import { ConfigError, toMessage } from "../lib/errors.ts";
import { createCli } from "./cli.ts";
import type { CliContext } from "./context.ts";

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
    context.tell(`evenkeel: ${error instanceof ConnectError ? error.rawMessage : toMessage(error)}\n`);
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
