import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  type ReconciliationRequest,
  ReconciliationRequestSchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { Session } from "../../../src/backend/sync/session.ts";
import type { Producer } from "../../../src/bus/bus.ts";
import { MemoryBudget } from "../../../src/lib/memory-budget.ts";
import { noTracer } from "../../../src/lib/telemetry.ts";
import { ManualClock } from "../manual-clock.ts";
import { ControlledProducer } from "./controlled-producer.ts";

/** Overrides for the options of a session. */
export interface SessionInit {
  readonly account?: string;
  readonly cluster?: string;
  readonly epoch?: bigint;
  readonly connectRun?: ReconciliationRequest;
  readonly producer?: Producer;
  readonly maxMessageBytes?: number;
}

/** Creates a session without an agent. */
export function createSession(init: SessionInit = {}): Session {
  const { account = "acme", cluster = "c1", epoch = 7n, connectRun } = init;
  const memory = new MemoryBudget(1024 ** 3).of(account);
  return new Session({
    identity: { account, cluster, clusterUid: `uid-${cluster}`, epoch },
    connectRun,
    producer: init.producer ?? new ControlledProducer(),
    memory: { agents: memory, messages: memory },
    tracer: noTracer,
    limits: { maxMessageBytes: init.maxMessageBytes ?? 1_000_000, compress: false },
    clock: new ManualClock(),
  });
}

/** Creates a request for a run. */
export function requestOf(runId = "0d6b1c4e-6f0a-4c9e-9a54-0f6d2b3c1a77"): ReconciliationRequest {
  return create(ReconciliationRequestSchema, {
    initiator: "evenkeel/backend",
    runId,
    trigger: ReconciliationTrigger.CONNECT,
    time: timestampFromMs(0),
  });
}
