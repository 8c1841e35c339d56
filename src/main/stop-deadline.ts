import { untilAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";

/** Time for an orderly end after the stop signal, in milliseconds. The drain and the ingester take 8 s. */
const STOP_MS = 12_000;

/** The end of the time in which a program stops in order. Disposing it releases its timer. */
export interface StopDeadline extends Disposable {
  /** Aborts some time after the stop signal. */
  readonly signal: AbortSignal;
}

/**
 * Creates the deadline for what waits for others although the program stops, such as a query of a database that has
 * vanished without a notice.
 */
export function createStopDeadline(signal: AbortSignal, clock: Clock): StopDeadline {
  const over = new AbortController();
  const disposed = new AbortController();
  const wait = async (): Promise<void> => {
    await untilAborted(AbortSignal.any([signal, disposed.signal]));
    await clock.sleep(disposed.signal, STOP_MS);
    over.abort(new Error(`expected the end ${STOP_MS / 1000} s after the stop signal`));
  };
  // Rejects when it is disposed.
  void wait().catch(() => {});
  return { signal: over.signal, [Symbol.dispose]: () => disposed.abort() };
}
