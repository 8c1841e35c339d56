import { create } from "@bufbuild/protobuf";
import { type Batch, BatchSchema, BatchType } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ResourceTypeSchema } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { ResourceScopeSchema, ScopeDeclaredSchema } from "../../gen/proto/evenkeel/v1/scope_pb.ts";
import { toContent } from "../../src/agent/object-content.ts";
import { putItem } from "../../src/agent/uplink/batch-items.ts";
import type { Bus, Producer } from "../../src/bus/bus.ts";
import { openBus } from "../../src/bus/open-bus.ts";
import { encodeEvent, encodeEventInParts } from "../../src/event/codec.ts";
import { TOPICS } from "../../src/event/topics.ts";
import { createSystemClock } from "../../src/lib/clock.ts";
import { createSilentLog } from "../../src/lib/log.ts";
import { createSystemRandom } from "../../src/lib/random.ts";
import { noMetrics } from "../../src/lib/telemetry.ts";
import type { ClusterKey, Database } from "../../src/store/postgres/database.ts";
import { createPgSessionStore } from "../../src/store/postgres/pg-session-store.ts";
import { createPod } from "./create-pod.ts";
import type { Tenant } from "./world.ts";

/** Resource type of the benchmarks' objects. */
export const PODS = create(ResourceTypeSchema, { group: "", version: "v1", resource: "pods" });

/** Opens a connection of this process to a tenant. */
export function openTenant({ busUrl: url, name: tenant }: Tenant): Promise<Bus> {
  return openBus(
    { url, tenant },
    {
      clock: createSystemClock(),
      random: createSystemRandom(),
      log: createSilentLog(),
      metrics: noMetrics,
      probeTopic: TOPICS.events,
    },
  );
}

/** Creates a batch of pods, each observed at `version`. */
export function createBatch(first: number, count: number, contentBytes: number, version: number): Batch {
  const items = Array.from({ length: count }, (_, index) => {
    const pod = createPod(first + index, contentBytes);
    const metadata = { ...pod.metadata, uid: `uid-${first + index}`, resourceVersion: String(version) };
    const object = { ...pod, metadata };
    return putItem(object, toContent(object, "bench"), String(version));
  });
  return create(BatchSchema, { resourceType: PODS, type: BatchType.DEFAULT, items });
}

/** Publishes batches like the backend of a session, each with the next sequence. */
export type Speaker = (batch: Batch) => Promise<void>;

/** Opens a session of a cluster whose scope is pods. */
export async function openSpeaker(
  signal: AbortSignal,
  database: Database,
  bus: Bus,
  producer: Producer,
  { account, cluster }: ClusterKey,
): Promise<Speaker> {
  const clusterUid = `uid of ${cluster}`;
  const sessions = createPgSessionStore(database, createSystemRandom());
  const opened = await sessions.openSession(signal, {
    ...{ account, cluster, clusterUid, instanceId: "bench", agentVersion: "bench" },
    kubernetesVersion: "",
    initiator: "evenkeel/backend",
    replyTopic: "replies/none",
    runDeadlineMs: 600_000,
    mayReplaceSilent: false,
  });
  if (opened.type === "held") {
    throw new Error(`session held by ${opened.activeInstanceId}`);
  }
  const { epoch } = opened;
  const identity = { account, cluster, clusterUid, epoch };
  const limits = { maxMessageBytes: bus.maxMessageBytes, compress: true };
  const resources = [create(ResourceScopeSchema, { resourceType: PODS })];
  const scope = create(ScopeDeclaredSchema, { generation: 1n, resources });
  const body = { case: "scopeDeclared", value: scope } as const;
  await producer.publish(signal, encodeEvent(identity, { sequence: 1n, publishTime: new Date(), body }));
  let sequence = 1n;
  return async (value) => {
    sequence += 1n;
    const content = { sequence, publishTime: new Date(), body: { case: "batch", value } as const };
    for (const message of encodeEventInParts(identity, content, limits)) {
      await producer.publish(signal, message);
    }
  };
}
