import { Code, ConnectError } from "@connectrpc/connect";
import { Command } from "commander";
import {
  type ReconciliationRun,
  ReconciliationState,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { Clock } from "../../lib/clock.ts";
import { TerminalError } from "../../lib/errors.ts";
import type { CliContext } from "../context.ts";
import { addClientOptions, type FleetClient, toClientCall } from "../fleet-client.ts";
import { createLimitOption } from "../options.ts";
import { countFindings, formatState, printRun } from "../output/run.ts";

// Between two attempts while another run of the cluster is active.
const RETRY_MS = 500;

/** `evenkeel reconcile CLUSTER` */
export function createReconcileCommand(context: CliContext): Command {
  const command = new Command("reconcile").summary("start a reconciliation run and wait for its end");
  command
    .description("Compare a cluster with Postgres now, repair differences, and show them.")
    .argument("<cluster>", "Name of the cluster")
    .option("--dry-run", "Repair nothing: show what a run would repair, with causes and different fields")
    .addOption(createLimitOption(100))
    .addHelpText("after", EXIT_CODE)
    .addHelpText("after", EXAMPLES);
  return addClientOptions(command).action(async (cluster: string, { limit, dryRun = false }: Flags) => {
    const call = await toClientCall(command, context);
    const started = await start(context, call.client, { cluster, dryRun });
    const run = await follow(context, call.client, started);
    await printRun(context, call, run, limit);
    context.setExitCode(run.state === ReconciliationState.SUCCEEDED ? 0 : 1);
  });
}

interface Flags {
  readonly limit: number;
  readonly dryRun?: boolean;
}

const EXIT_CODE = `
Exits with 0 only if the run verified every resource type. A dry run changes no object and verifies nothing: it exits
with 0 if it compared every resource type, also if it found differences.`;

const EXAMPLES = `
Examples:
  $ evenkeel reconcile dev
  $ evenkeel reconcile dev -o json
  $ evenkeel reconcile dev --dry-run
`;

/** Starts a run; while another one of the cluster is active, waits for its end. */
async function start(
  { signal, clock, printError }: CliContext,
  client: FleetClient,
  request: { readonly cluster: string; readonly dryRun: boolean },
): Promise<ReconciliationRun> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { run } = await client.startReconciliation(request, { signal });
      if (run === undefined) {
        throw new TerminalError("the server returned no run");
      }
      return run;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ConnectError) || error.code !== Code.Aborted) {
        throw error;
      }
      if (attempt === 1) {
        printError("Another run of this cluster is active; waiting for its end ...\n");
      }
      await clock.sleep(signal, RETRY_MS);
    }
  }
}

/** Prints the progress of a run, and returns it when it has ended. */
async function follow(
  { signal, clock, printError }: CliContext,
  client: FleetClient,
  started: ReconciliationRun,
): Promise<ReconciliationRun> {
  let run = started;
  let line = "";
  for await (const changed of followRun(signal, client, clock, started)) {
    run = changed;
    const next = toProgress(changed);
    if (next !== line) {
      line = next;
      printError(`${line}\n`);
    }
  }
  return run;
}

function toProgress(run: ReconciliationRun): string {
  const done = run.results.filter(({ pending }) => !pending).length;
  const resources =
    run.results.length === 0 ? "" : `, ${done} of ${run.results.length} resource types compared`;
  return `${formatState(run)}${resources}, ${countFindings(run)} rows ${run.dryRun ? "to repair" : "repaired"}`;
}

// How long to trust the stream alone: a run that ends just before the stream begins is never in it.
const POLL_MS = 5000;

/** A run as it changes, until it has ended; that state is the last. */
async function* followRun(
  signal: AbortSignal,
  client: FleetClient,
  clock: Clock,
  { id, cluster }: ReconciliationRun,
): AsyncGenerator<ReconciliationRun, void, undefined> {
  for (;;) {
    const { run } = await client.getReconciliationRun({ id }, { signal });
    if (run !== undefined) {
      yield run;
    }
    if (run?.endTime !== undefined) {
      return;
    }
    using deadline = clock.deadline(signal, POLL_MS);
    // Leaving the loop does not end the call, and a call that goes on keeps the process alive.
    const left = new AbortController();
    const call = { signal: AbortSignal.any([deadline.signal, left.signal]) };
    try {
      for await (const { run: changed } of client.watchReconciliationRuns({ clusters: [cluster] }, call)) {
        if (changed?.id !== id) {
          continue;
        }
        yield changed;
        if (changed.endTime !== undefined) {
          return;
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      if (ConnectError.from(error).code !== Code.Canceled || !deadline.signal.aborted) {
        throw error;
      }
    } finally {
      left.abort();
    }
  }
}
