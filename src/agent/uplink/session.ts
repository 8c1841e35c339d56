import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Batch } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceReconciled } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import {
  type Hello,
  type SyncRequest,
  SyncRequestSchema,
  type SyncResponse,
  type Welcome,
} from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import type { OpenSync } from "../../domain/open-sync.ts";
import { waitFor, withinDeadline } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { RetryableError } from "../../lib/errors.ts";
import type { Outbox } from "./outbox.ts";

/** How to run a session. */
export interface UplinkSessionOptions {
  readonly clock: Clock;
  readonly openSync: OpenSync;
  readonly outbox: Outbox;
  readonly hello: Hello;
  /** How long the backend may take to answer Hello, in milliseconds. */
  readonly welcomeMs: number;
  /** Takes the backend's batches, one after the other. Must not wait. */
  readonly onBatch: (session: UplinkSession, batch: Batch) => void;
  onWelcome(epoch: bigint): void;
  onAcknowledged(sequence: bigint): void;
}

const DEFAULT_UNACKNOWLEDGED_BYTES = 4 * 1024 * 1024;

/**
 * Runs one session: Hello, Welcome, then both directions until the stream ends. Resolves with the delay, in
 * milliseconds, that the backend asked for; rejects with what ended the stream. After `stop` aborts it ends
 * by itself, once all is acknowledged.
 *
 * `onBatch` only sorts a batch, and work on it waits elsewhere. So a batch holds up no acknowledgement behind it, which
 * that work may be waiting for.
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
    const session = openSession(ended, options, await receiveWelcome(ended, options, responses));
    welcomed.resolve();
    return await receive(responses, session, options);
  } catch (error) {
    // What ended the session is told by the signal; the stream's own error only follows from it.
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

async function receiveWelcome(
  signal: AbortSignal,
  { clock, welcomeMs }: UplinkSessionOptions,
  responses: AsyncIterator<SyncResponse>,
): Promise<Welcome> {
  signal.throwIfAborted();
  const receive = (until: AbortSignal): Promise<IteratorResult<SyncResponse, unknown>> =>
    waitFor(until, responses.next());
  const { value, done } = await withinDeadline(signal, clock, welcomeMs, receive, (cause) => {
    throw new RetryableError(`no Welcome within ${welcomeMs} ms`, { cause });
  });
  if (done === true || value.message.case !== "welcome") {
    throw new RetryableError(`expected Welcome, got ${done === true ? "the end" : value.message.case}`);
  }
  return value.message.value;
}

function openSession(
  signal: AbortSignal,
  options: UplinkSessionOptions,
  { epoch, limits }: Welcome,
): UplinkSession {
  const { outbox } = options;
  const asked = Number(limits?.maxUnacknowledgedBytes ?? 0n);
  outbox.openSession({
    epoch,
    maxUnacknowledgedBytes: Math.min(asked || DEFAULT_UNACKNOWLEDGED_BYTES, DEFAULT_UNACKNOWLEDGED_BYTES),
  });
  options.onWelcome(epoch);
  return {
    epoch,
    signal,
    get scopeGeneration() {
      return outbox.state.scopeGeneration;
    },
    get nextSequence() {
      return outbox.state.nextSequence;
    },
    async sendRunBatch(caller, batch) {
      await outbox.offerRunBatch(AbortSignal.any([caller, signal]), batch);
    },
    sendReconciled(message) {
      signal.throwIfAborted();
      outbox.offerReconciled(message);
    },
  };
}

async function receive(
  responses: AsyncIterator<SyncResponse>,
  session: UplinkSession,
  { outbox, onAcknowledged, onBatch }: UplinkSessionOptions,
): Promise<number> {
  for (;;) {
    // Before, not after: a read that nobody waits for would reject unhandled.
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
      case "drain":
        return message.value.retryAfter === undefined ? 0 : durationMs(message.value.retryAfter);
      default:
        throw new RetryableError(`expected no ${message.case ?? "message of an unknown type"} here`);
    }
  }
}

/** One stream to the backend, from Welcome to its end, as what answers runs sees it. */
export interface UplinkSession {
  /** Number of the session. */
  readonly epoch: bigint;
  /** Aborts when the session ends; what it was asked for is void then. */
  readonly signal: AbortSignal;
  /** Generation of the scope declared last. */
  readonly scopeGeneration: bigint;
  /** Number that the next message gets, or one after it. */
  readonly nextSequence: bigint;
  /** Sends a batch that answers a run; waits while too much is pending. */
  sendRunBatch(signal: AbortSignal, batch: Batch): Promise<void>;
  /** Sends the end of a kind's comparison, behind everything sent before. */
  sendReconciled(message: ResourceReconciled): void;
}
