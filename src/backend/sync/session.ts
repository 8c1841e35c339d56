import type { Event } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import type {
  ReconciliationRequest,
  ResourcesReconciled,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ScopeDeclared } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { SyncRequest } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import type { Producer } from "../../bus/bus.ts";
import { findScopeViolation } from "../../domain/scope-rules.ts";
import { type EventIdentity, encodeEventInParts } from "../../event/codec.ts";
import type { PackLimits } from "../../event/split-batch.ts";
import type { Clock } from "../../lib/clock.ts";
import { type FieldViolation, InvalidArgumentError } from "../../lib/errors.ts";
import type { AccountMemory } from "../../lib/memory-budget.ts";
import type { Tracer } from "../../lib/telemetry.ts";
import { Downstream } from "./downstream.ts";
import { PublishWindow } from "./publish-window.ts";
import { validateBatch } from "./validate-batch.ts";

/** Memory of the session's account, as the backend divides it. */
export interface SessionMemory {
  readonly agents: AccountMemory;
  readonly messages: AccountMemory;
}

export interface SessionOptions {
  readonly identity: EventIdentity;
  /** Request that is published behind the session's first scope. */
  readonly connectRun: ReconciliationRequest | undefined;
  readonly producer: Producer;
  readonly memory: SessionMemory;
  readonly limits: PackLimits;
  readonly clock: Clock;
  readonly tracer: Tracer;
}

/**
 * Session of one agent. Publishes the agent's messages in their order and acknowledges them when the bus has
 * stored them. Messages to the agent go through {@link outbox}.
 */
export class Session {
  readonly identity: EventIdentity;
  readonly outbox: Downstream;
  readonly #clock: Clock;
  readonly #limits: PackLimits;
  readonly #tracer: Tracer;
  readonly #window: PublishWindow;
  #connectRun: ReconciliationRequest | undefined;
  #lastRunId: string | undefined;
  #lastSequence = 0n;
  #generation = 0n;
  #hasScope = false;

  constructor({ identity, connectRun, producer, memory, limits, clock, tracer }: SessionOptions) {
    this.identity = identity;
    this.outbox = new Downstream(memory.agents);
    this.#connectRun = connectRun;
    this.#lastRunId = connectRun?.runId;
    this.#clock = clock;
    this.#limits = limits;
    this.#tracer = tracer;
    this.#window = new PublishWindow(producer, memory.messages, {
      stored: (sequence) => this.outbox.acknowledge(sequence),
      failure: (error) => this.end(error),
    });
  }

  /** True if a scope of the agent was published. Later messages of the session follow it on the bus. */
  get hasScope(): boolean {
    return this.#hasScope;
  }

  /** True for the first caller with this run, who publishes its request. A cluster has one active run at a time. */
  claimRun(runId: string): boolean {
    const isFirst = this.#lastRunId !== runId;
    this.#lastRunId = runId;
    return isFirst;
  }

  /** Ends the stream with an error. */
  end(error: Error): void {
    this.outbox.close(error);
  }

  /**
   * Publishes a numbered message of the agent.
   *
   * @throws InvalidArgumentError if the sequence is not the next one or the message is invalid; no part of
   * the message is published then.
   */
  async accept(signal: AbortSignal, { sequence, message, traceParent }: SyncRequest): Promise<void> {
    const expected = this.#lastSequence + 1n;
    if (sequence !== expected) {
      throw invalid("sequence", `expected ${expected}, the next sequence, found ${sequence}`);
    }
    if (message.case === "batch") {
      validateBatch(this.identity.epoch, message.value);
    }
    if (message.case === "resourcesReconciled") {
      this.#validateEnds(message.value);
    }
    if (message.case === "scopeDeclared") {
      this.#validateScope(message.value);
    }
    this.#lastSequence = sequence;
    await this.#publish(signal, sequence, toBody(message), traceParent);
    this.#hasScope ||= message.case === "scopeDeclared";
    if (message.case === "scopeDeclared" && this.#connectRun !== undefined) {
      // The inventories cover the declared scope, so the request follows it on the bus.
      const value = this.#connectRun;
      this.#connectRun = undefined;
      await this.#publish(signal, 0n, { case: "reconciliationRequest", value });
    }
  }

  /** Waits until the bus has stored all accepted messages, or a publish has failed. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#window.flush(signal);
  }

  #validateEnds({ ends }: ResourcesReconciled): void {
    const { epoch } = this.identity;
    for (const [index, { incarnation }] of ends.entries()) {
      if (incarnation !== undefined && incarnation > epoch) {
        throw invalid(
          `resources_reconciled.ends[${index}].incarnation`,
          `expected at most the session's epoch ${epoch}, found ${incarnation}`,
        );
      }
    }
  }

  #validateScope(scope: ScopeDeclared): void {
    const { generation } = scope;
    const expected = this.#generation + 1n;
    if (generation !== expected) {
      throw invalid(
        "scope_declared.generation",
        `expected ${expected}, the next generation, found ${generation}`,
      );
    }
    const violation = findScopeViolation(scope);
    if (violation !== undefined) {
      throw new InvalidArgumentError([violation]);
    }
    this.#generation = generation;
  }

  async #publish(signal: AbortSignal, sequence: bigint, body: Event["body"], parent = ""): Promise<void> {
    const span = this.#tracer.start("publish", { parent, attributes: { body: body.case ?? "" } });
    const content = { sequence, publishTime: this.#clock.now(), body, traceParent: span.traceParent };
    const messages = encodeEventInParts(this.identity, content, this.#limits);
    for (const [index, message] of messages.entries()) {
      // Receipts count as a contiguous prefix, so the last part acknowledges all parts.
      const isLast = index === messages.length - 1;
      await this.#window.publish(signal, isLast ? sequence : 0n, message, (error) => {
        if (isLast || error !== undefined) {
          span.end(error);
        }
      });
    }
  }
}

function toBody(message: SyncRequest["message"]): Event["body"] {
  switch (message.case) {
    case "batch":
    case "resourcesReconciled":
    case "scopeDeclared":
      return message;
    case "hello":
    case undefined:
      throw invalid(
        message.case ?? "message",
        "expected scope_declared, batch or resources_reconciled after the first message",
      );
    default:
      throw invalid("message", `unknown message ${String(message satisfies never)}`);
  }
}

function invalid(field: string, description: string): InvalidArgumentError {
  const violation: FieldViolation = { field, description };
  return new InvalidArgumentError([violation]);
}
