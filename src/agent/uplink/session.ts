import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Batch, RefusedItems, RunRef } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceReconciled } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import {
  type Drain,
  type Hello,
  type SyncRequest,
  SyncRequestSchema,
  type SyncResponse,
  type Welcome,
} from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { waitFor, withinDeadline } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { RetryableError } from "../../lib/errors.ts";
import type { Outbox } from "./outbox.ts";

/**
 * Opens `SyncService.Sync`. The stream ends when `signal` aborts, or when the requests have ended and the backend
 * has answered all of them. The requests end with the stream.
 *
 * An adapter translates the transport's errors.
 *
 * @throws TerminalError for a permanent refusal: FAILED_PRECONDITION, INVALID_ARGUMENT, UNAUTHENTICATED,
 * PERMISSION_DENIED or UNIMPLEMENTED
 * @throws RetryableError for any other error, with RetryInfo's delay as `retryAfterMs`
 */
export type OpenSync = (
  signal: AbortSignal,
  requests: AsyncIterable<SyncRequest>,
) => AsyncIterable<SyncResponse>;

export interface UplinkSessionOptions {
  readonly clock: Clock;
  readonly openSync: OpenSync;
  readonly outbox: Outbox;
  readonly hello: Hello;
  /** Longest time that the backend may be silent before Welcome, in milliseconds. */
  readonly welcomeMs: number;
  /** Processes the backend's batches one at a time. Must not wait. */
  readonly onBatch: (session: UplinkSession, batch: Batch) => void;
  /** Called for each notice that another agent of the cluster has the session. */
  onStandby(activeInstanceId: string): void;
  onWelcome(welcome: Welcome): void;
  onAcknowledged(sequence: bigint): void;
  /** Called for each notice of items that the ingester refused. */
  onRefused(notice: RefusedItems): void;
}

const DEFAULT_UNACKNOWLEDGED_BYTES = 4 * 1024 * 1024;

/**
 * Runs one session: Hello, Welcome, then both directions until the stream ends. Resolves with the reconnect
 * delay, in milliseconds, that the backend requested. After `stop` aborts, the session ends once all messages
 * are acknowledged; while another agent has the session, it ends at once.
 *
 * `onBatch` only queues a batch. If it waited, it would delay the acknowledgements behind the batch, and the
 * work on the batch can depend on them.
 *
 * @throws the error that ended the stream.
 */
export async function runSession(
  signal: AbortSignal,
  stop: AbortSignal,
  options: UplinkSessionOptions,
): Promise<number> {
  // Aborted at the end, because leaving the loop over the responses does not end the stream.
  const stream = new AbortController();
  const ended = AbortSignal.any([signal, stream.signal]);
  const welcomed = Promise.withResolvers<void>();
  try {
    const requests = outgoing(ended, stop, options, welcomed.promise);
    const responses = options.openSync(ended, requests)[Symbol.asyncIterator]();
    const welcome = await receiveWelcome(ended, stop, options, responses);
    if (welcome.$typeName === "evenkeel.v1.Drain") {
      return delayOf(welcome);
    }
    const session = openSession(ended, options, welcome, (error) => stream.abort(error));
    welcomed.resolve();
    return await receive(responses, session, options);
  } catch (error) {
    // The signal has the cause. The error of the stream is only its consequence.
    throw ended.aborted ? ended.reason : error;
  } finally {
    stream.abort(new RetryableError("the session has ended"));
  }
}

async function* outgoing(
  signal: AbortSignal,
  stop: AbortSignal,
  { hello, outbox }: UplinkSessionOptions,
  welcomed: Promise<void>,
): AsyncGenerator<SyncRequest, void, undefined> {
  yield create(SyncRequestSchema, { message: { case: "hello", value: hello } });
  await waitFor(signal, welcomed);
  yield* outbox.take(signal, stop);
}

/** Waits for Welcome, also as a standby. Returns Drain if that comes instead. */
async function receiveWelcome(
  signal: AbortSignal,
  stop: AbortSignal,
  { clock, welcomeMs, onStandby }: UplinkSessionOptions,
  responses: AsyncIterator<SyncResponse>,
): Promise<Welcome | Drain> {
  let waiting = signal;
  for (;;) {
    waiting.throwIfAborted();
    const receive = (until: AbortSignal): Promise<IteratorResult<SyncResponse, unknown>> =>
      waitFor(until, responses.next());
    const { value, done } = await withinDeadline(waiting, clock, welcomeMs, receive, (cause) => {
      throw new RetryableError(`session: expected Welcome within ${welcomeMs} ms, found none`, { cause });
    });
    const message = done === true ? { case: "the end of the stream" as const } : value.message;
    switch (message.case) {
      case "welcome":
      case "drain":
        return message.value;
      case "standby":
        onStandby(message.value.activeInstanceId);
        // A standby has nothing to deliver.
        waiting = AbortSignal.any([signal, stop]);
        break;
      default:
        throw new RetryableError(`session: expected Welcome, found ${message.case ?? "an unknown message"}`);
    }
  }
}

function delayOf({ retryAfter }: Drain): number {
  return retryAfter === undefined ? 0 : durationMs(retryAfter);
}

function openSession(
  signal: AbortSignal,
  options: UplinkSessionOptions,
  welcome: Welcome,
  end: (error: Error) => void,
): UplinkSession {
  const { outbox } = options;
  const { epoch, limits } = welcome;
  const asked = Number(limits?.maxUnacknowledgedBytes ?? 0n);
  const maxUnacknowledgedBytes = Math.min(
    asked || DEFAULT_UNACKNOWLEDGED_BYTES,
    DEFAULT_UNACKNOWLEDGED_BYTES,
  );
  outbox.openSession({ epoch, maxUnacknowledgedBytes }, end);
  options.onWelcome(welcome);
  return {
    epoch,
    signal,
    get scopeGeneration() {
      return outbox.state.scopeGeneration;
    },
    get nextSequence() {
      return outbox.state.nextSequence;
    },
    async whenRoom(caller, add) {
      await outbox.whenRoom(AbortSignal.any([caller, signal]), add);
    },
    sendRunBatch(batch) {
      signal.throwIfAborted();
      outbox.offerRunBatch(batch);
    },
    sendEnd(run, end) {
      signal.throwIfAborted();
      outbox.offerEnd(run, end);
    },
    releaseEnds() {
      outbox.releaseEnds();
    },
  };
}

async function receive(
  responses: AsyncIterator<SyncResponse>,
  session: UplinkSession,
  { outbox, onAcknowledged, onBatch, onRefused }: UplinkSessionOptions,
): Promise<number> {
  for (;;) {
    // Check before the read: an abandoned read would cause an unhandled rejection.
    session.signal.throwIfAborted();
    const { value, done } = await waitFor(session.signal, responses.next());
    if (done === true) {
      return 0;
    }
    const { message } = value;
    switch (message.case) {
      case "acknowledgement":
        outbox.acknowledge(message.value.sequence);
        onAcknowledged(message.value.sequence);
        break;
      case "batch":
        onBatch(session, message.value);
        break;
      case "refusedItems":
        onRefused(message.value);
        break;
      case "drain":
        return delayOf(message.value);
      default:
        throw new RetryableError(
          "session: expected acknowledgement, batch, refused_items or drain, " +
            `found ${message.case ?? "an unknown message"}`,
        );
    }
  }
}

/** One session with the backend, from Welcome to its end, as comparisons use it. */
export interface UplinkSession {
  /** Epoch of the session. */
  readonly epoch: bigint;
  /** Aborts when the session ends, which cancels the comparisons that it requested. */
  readonly signal: AbortSignal;
  /** Generation of the latest declared scope. */
  readonly scopeGeneration: bigint;
  /** Lower bound of the sequence of the next message. */
  readonly nextSequence: bigint;
  /** Calls `add` when few bytes are pending, as {@link ChangeSink.whenRoom} does. */
  whenRoom(signal: AbortSignal, add: () => void): Promise<void>;
  /** Sends a batch of repairs, behind everything sent before. */
  sendRunBatch(batch: Batch): void;
  /** Sends the end of a comparison, behind everything sent before. It may wait a second for others of its attempt. */
  sendEnd(run: RunRef, end: ResourceReconciled): void;
  /** Sends the ends that wait for others. */
  releaseEnds(): void;
}
