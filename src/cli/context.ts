import type { AgentConfig } from "../config/programs/agent.ts";
import type { DevConfig } from "../config/programs/dev.ts";
import type { IngesterConfig } from "../config/programs/ingester.ts";
import type { BackendConfig, ServerConfig } from "../config/programs/server.ts";
import type { Clock } from "../lib/clock.ts";

/** Access of commands to the outside world. */
export interface CliContext {
  /** Aborts when the process is asked to end. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Writes to standard output, which carries results only. */
  readonly print: (text: string) => void;
  /** Writes to standard error: progress and hints. */
  readonly printError: (text: string) => void;
  /** Asks the person at the terminal and returns the answer; undefined without a terminal. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  /** Reads standard input to its end. */
  readonly readInput: () => Promise<string>;
  /** Sets the exit code of a command that does not fail; 0 unless set. */
  readonly setExitCode: (code: number) => void;
  readonly programs: Programs;
}

/** The long-lived programs. Each runs until its signal aborts, and is loaded only when it is called. */
export interface Programs {
  runServer(signal: AbortSignal, config: ServerConfig): Promise<void>;
  runBackend(signal: AbortSignal, config: BackendConfig): Promise<void>;
  runIngester(signal: AbortSignal, config: IngesterConfig): Promise<void>;
  runAgent(signal: AbortSignal, config: AgentConfig): Promise<void>;
  runDev(signal: AbortSignal, config: DevConfig): Promise<void>;
}
