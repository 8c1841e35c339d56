import { runCli } from "../../../src/cli/cli.ts";
import { type Clock, createSystemClock } from "../../../src/lib/clock.ts";

/** Environment of a command line. */
export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Content of standard input. */
  readonly input?: string;
  /** Answers to questions, as a person at a terminal gives; unset: no terminal. */
  readonly answer?: string;
}

/** Result of a command line. */
export interface RunResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Configurations of the long-lived programs that were called. */
  readonly calls: readonly unknown[];
}

/** Runs a command line and returns its result. */
export async function runForTest(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { environment = {}, signal = new AbortController().signal, input = "", answer } = options;
  const written = { out: "", err: "", calls: [] as unknown[] };
  const call = async (_: AbortSignal, config: unknown) => void written.calls.push(config);
  const code = await runCli(
    {
      signal,
      clock: options.clock ?? createSystemClock(),
      environment,
      print: (text) => {
        written.out += text;
      },
      printError: (text) => {
        written.err += text;
      },
      ask:
        answer === undefined
          ? undefined
          : (question) => {
              written.err += question;
              return Promise.resolve(answer);
            },
      readInput: () => Promise.resolve(input),
      programs: { runServer: call, runBackend: call, runIngester: call, runAgent: call, runDev: call },
    },
    "1.2.3",
    args,
  );
  return { ...written, code };
}
