import { Code, ConnectError } from "@connectrpc/connect";
import type { ReconciliationRun } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { Clock } from "../../lib/clock.ts";
import type { FleetClient } from "../fleet-client.ts";

// How long to trust the stream alone: a run that ends just before the stream begins is never in it.
const lookAgainMs = 5000;

/** A run as it changes, until it has ended; that state is the last. */
export async function* followRun(
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
    using deadline = clock.deadline(signal, lookAgainMs);
    // Leaving the loop does not end the call, and a call that goes on keeps the process alive.
    const left = new AbortController();
    const call = { signal: AbortSignal.any([deadline.signal, left.signal]) };
    try {
      for await (const { run: changed } of client.watchReconciliationRuns({ cluster }, call)) {
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
