import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { Hello, SyncRequest, SyncService } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import type { Bus, Producer } from "../../bus/bus.ts";
import { MAX_SYNC_REQUEST_BYTES } from "../../domain/limits.ts";
import { NEVER, waitFor } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import {
  InvalidArgumentError,
  LimitExceededError,
  RetryableError,
  toError,
  toMessage,
} from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import type { Tracer } from "../../lib/telemetry.ts";
import { identityOf } from "../../rpc/auth/authenticator.ts";
import type { SessionRequest, SessionStore } from "../../store/session-store.ts";
import { INITIATOR } from "../runs/request-run.ts";
import { admitAgent } from "./admit-agent.ts";
import type { Response } from "./downstream.ts";
import type { OpeningTurns } from "./opening-turns.ts";
import { Session, type SessionMemory } from "./session.ts";
import type { SessionRegistry } from "./session-registry.ts";
import type { StandbyRegistry } from "./standby-registry.ts";

export interface SyncServiceOptions {
  readonly sessions: SessionStore;
  readonly registry: SessionRegistry;
  readonly standbys: StandbyRegistry;
  readonly turns: OpeningTurns;
  readonly bus: Bus;
  readonly producer: Producer;
  readonly memory: AgentMemory;
  readonly replyTopic: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly runDeadlineMs: number;
  readonly tracer: Tracer;
}

/**
 * Memory of a backend for its agents. That of messages is free again when they are stored or refused, so no connected
 * or slow agent can keep the messages of others waiting.
 */
export interface AgentMemory {
  /** For connected agents, and for the batches that they have not read. */
  readonly agents: MemoryBudget;
  /** For messages of agents that are not stored. */
  readonly messages: MemoryBudget;
}

/** Limits of the messages from agents. */
const LIMITS = { maxMessageBytes: MAX_SYNC_REQUEST_BYTES, maxUnacknowledgedBytes: 16n * 1024n * 1024n };

/**
 * Time that an agent has for its first message, in milliseconds. Without it a silent client would keep its
 * stream forever.
 */
const HELLO_TIMEOUT_MS = 15_000;

/** Time to store the end of a session, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5_000;

/** Memory of a stream besides its messages, in bytes: its connection and its buffers. */
const STREAM_BYTES = 96 * 1024;

/** Time after which an agent for whose stream there is no memory may try again, in milliseconds. */
const RETRY_FULL_MS = 10_000;

/** Creates the service that accepts agents. */
export function createSyncService(options: SyncServiceOptions): ServiceImpl<typeof SyncService> {
  return { sync: (requests, context) => sync(options, requests, context) };
}

async function* sync(
  options: SyncServiceOptions,
  requests: AsyncIterable<SyncRequest>,
  context: HandlerContext,
): AsyncGenerator<Response, void, undefined> {
  const { registry, log, bus, producer, clock, tracer } = options;
  const memory = openStream(options.memory, context);
  const ended = new AbortController();
  const signal = AbortSignal.any([context.signal, ended.signal]);
  const iterator = requests[Symbol.asyncIterator]();
  const request = await readRequest(signal, options, iterator, context);
  const opened = yield* admitAgent(signal, options, request);
  if (opened === undefined) {
    return;
  }
  const { account, cluster, clusterUid } = request;
  const { epoch, connectRun, storedScope } = opened;
  const identity = { account, cluster, clusterUid, epoch };
  const limits = { maxMessageBytes: bus.maxMessageBytes, compress: bus.isRemote };
  const session = new Session({ identity, connectRun, producer, memory, limits, clock, tracer });
  const { subject } = identityOf(context.values);
  const sessionLog = log.with({
    account,
    cluster,
    epoch: String(epoch),
    ...(subject !== undefined && { subject }),
  });
  sessionLog.info("session opened", { agent: request.instanceId, version: request.agentVersion });
  registry.add(session);
  const inbound = readAll(signal, iterator, session);
  let reserve = false;
  try {
    yield {
      message: {
        case: "welcome",
        value: { epoch, limits: LIMITS, storedScope: { resourceTypes: [...storedScope] } },
      },
    };
    yield* session.outbox.take(signal);
    // Drain was the last message. Earlier messages of the agent are still stored; the next session
    // acknowledges them.
    reserve = session.outbox.isDraining;
    await session.flush(signal);
  } catch (error) {
    // An outage of the bus is not the agent's: another agent would meet it too.
    reserve = reserve || error instanceof RetryableError;
    throw error;
  } finally {
    ended.abort(new Error("the session has ended"));
    registry.remove(session);
    session.outbox.release();
    await inbound;
    await close(options, session, reserve, sessionLog);
  }
}

/**
 * Takes the memory of a stream until the call ends. Returns the memory of its account.
 *
 * @throws LimitExceededError if there is no room
 */
function openStream(memory: AgentMemory, { values, signal }: HandlerContext): SessionMemory {
  const { account } = identityOf(values);
  const agents = memory.agents.of(account);
  if (agents.room < STREAM_BYTES) {
    const message =
      `Sync: the server's memory for account "${account}" is in use; try again in ${RETRY_FULL_MS} ms, ` +
      "or raise --memory-limit, or add backends";
    throw new LimitExceededError(message, { retryAfterMs: RETRY_FULL_MS });
  }
  agents.hold(STREAM_BYTES);
  // At the end of every call: a generator's `finally` is not reached if its reader has stopped.
  signal.addEventListener("abort", () => agents.release(STREAM_BYTES), { once: true });
  return { agents, messages: memory.messages.of(account) };
}

/** Reads Hello and returns the agent's request for a session. */
async function readRequest(
  signal: AbortSignal,
  { replyTopic, clock, runDeadlineMs }: SyncServiceOptions,
  requests: AsyncIterator<SyncRequest>,
  context: HandlerContext,
): Promise<Omit<SessionRequest, "mayReplaceSilent">> {
  using deadline = clock.deadline(signal, HELLO_TIMEOUT_MS);
  const hello = await readHello(deadline.signal, requests);
  const { account, cluster } = identityOf(context.values);
  if (cluster !== undefined && cluster !== hello.cluster) {
    throw new ConnectError(
      `token: expected cluster "${cluster}", found "${hello.cluster}"; use a token of that cluster`,
      Code.PermissionDenied,
    );
  }
  return {
    account,
    cluster: hello.cluster,
    clusterUid: hello.clusterUid,
    instanceId: hello.instanceId,
    agentVersion: hello.agentVersion,
    kubernetesVersion: hello.kubernetesVersion,
    initiator: INITIATOR,
    replyTopic,
    runDeadlineMs,
  };
}

async function readHello(signal: AbortSignal, requests: AsyncIterator<SyncRequest>): Promise<Hello> {
  const first = await waitFor(signal, requests.next());
  if (first.done || first.value.message.case !== "hello") {
    const found = first.done ? "the end of the stream" : (first.value.message.case ?? "nothing");
    throw new InvalidArgumentError([
      { field: "message", description: `expected hello as the first message, found ${found}` },
    ]);
  }
  return first.value.message.value;
}

/** Reads the agent's messages until the session ends. Never rejects: an error ends the session. */
async function readAll(
  signal: AbortSignal,
  requests: AsyncIterator<SyncRequest>,
  session: Session,
): Promise<void> {
  try {
    for (;;) {
      const next = await waitFor(signal, requests.next());
      if (next.done) {
        session.outbox.close(undefined);
        return;
      }
      await session.accept(signal, next.value);
    }
  } catch (error) {
    session.end(toError(error));
  }
}

async function close(
  { sessions, clock }: SyncServiceOptions,
  session: Session,
  reserve: boolean,
  log: Log,
): Promise<void> {
  using deadline = clock.deadline(NEVER, CLOSE_TIMEOUT_MS);
  try {
    await waitFor(deadline.signal, sessions.closeSession(deadline.signal, session.identity, reserve));
    log.info("session closed");
  } catch (error) {
    log.warn("end of the session not stored", { error: toMessage(error) });
  }
}
