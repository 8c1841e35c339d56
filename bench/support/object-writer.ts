import { create } from "@bufbuild/protobuf";
import { type Batch, ReconciliationTrigger } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ResourceScopeSchema, ScopeDeclaredSchema } from "../../gen/proto/evenkeel/v1/scope_pb.ts";
import { createSystemRandom } from "../../src/lib/random.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { createPgIngestStore } from "../../src/store/postgres/pg-ingest-store.ts";
import { createPgRunStore } from "../../src/store/postgres/pg-run-store.ts";
import { createPgSessionStore } from "../../src/store/postgres/pg-session-store.ts";
import { PODS } from "./tenant-bus.ts";

const ACCOUNT = "bench";

/** Writes and reads the objects of clusters like an ingester, without a bus. */
export interface ObjectWriter extends AsyncDisposable {
  /** Opens a session of each cluster, with pods in its scope. */
  open(clusters: readonly string[]): Promise<void>;
  apply(cluster: string, batch: Batch): Promise<void>;
  /**
   * Copies the objects of one cluster to another one, `times` times. The database does it, in a fraction of the time.
   */
  copyObjects(from: string, to: string, times: number): Promise<void>;
  /** Reads the inventory of the cluster's pods, as for a run. Returns the number of rows. */
  readInventory(cluster: string): Promise<number>;
  /** Declares a scope without resource types, which removes all rows of the cluster. */
  dropScope(cluster: string): Promise<void>;
  query<Row extends object>(text: string): Promise<Row[]>;
}

/** Opens a writer on a database. */
export function createObjectWriter(url: string): ObjectWriter {
  const { signal } = new AbortController();
  const random = createSystemRandom();
  const database = createDatabase({ url });
  const store = createPgIngestStore(database);
  const runs = createPgRunStore(database, random);
  const sessions = createPgSessionStore(database, random);
  const streams = new Map<string, { readonly epoch: bigint; sequence: bigint }>();

  const next = (cluster: string) => {
    const stream = streams.get(cluster);
    if (stream === undefined) {
      throw new Error(`cluster "${cluster}": no session; open one first`);
    }
    stream.sequence += 1n;
    return { account: ACCOUNT, cluster, epoch: stream.epoch, sequence: stream.sequence };
  };
  const declare = async (cluster: string, resourceTypes: readonly (typeof PODS)[]) => {
    const scope = {
      resources: resourceTypes.map((resourceType) =>
        create(ResourceScopeSchema, { resourceType, namespaced: true }),
      ),
    };
    const position = next(cluster);
    const generation = position.sequence;
    await store.applyScope(signal, position, create(ScopeDeclaredSchema, { generation, ...scope }));
  };

  return {
    async open(clusters) {
      for (const cluster of clusters) {
        const opened = await sessions.openSession(signal, {
          ...{ account: ACCOUNT, cluster, clusterUid: cluster, instanceId: cluster, agentVersion: "bench" },
          kubernetesVersion: "",
          initiator: "evenkeel/backend",
          replyTopic: "replies/none",
          runDeadlineMs: 60_000,
          mayReplaceSilent: false,
        });
        if (opened.type === "held") {
          throw new Error(`session held by ${opened.activeInstanceId}`);
        }
        const { epoch } = opened;
        streams.set(cluster, { epoch, sequence: 0n });
        await declare(cluster, [PODS]);
      }
      // A cluster has at most one active run, and the run on connect would exclude the measured ones.
      await database.pool.query("DELETE FROM reconciliation_run");
    },
    async apply(cluster, batch) {
      const { applied } = await store.applyBatch(signal, next(cluster), batch);
      if (applied !== batch.items.length) {
        throw new Error(`batch: expected ${batch.items.length} applied objects, found ${applied}`);
      }
    },
    async copyObjects(from, to, times) {
      await database.transaction({ account: ACCOUNT, cluster: to }, async (client) => {
        await client.query(COPY_MARK, [ACCOUNT, from, to]);
        await client.query(COPY_OBJECTS, [ACCOUNT, from, to, times]);
      });
    },
    async readInventory(cluster) {
      const { epoch } = next(cluster);
      await sessions.keepSessions(signal, [{ account: ACCOUNT, cluster, epoch }]);
      const deadlineMs = 600_000;
      const trigger = ReconciliationTrigger.MANUAL;
      const run = await runs.createRun(signal, {
        account: ACCOUNT,
        cluster,
        initiator: "bench",
        trigger,
        deadlineMs,
      });
      const answer = await store.beginAttempt(signal, { ...run.session, sequence: 0n }, run.request);
      let rows = 0;
      for (const resourceType of answer?.resourceTypes ?? []) {
        for await (const { objects } of store.readInventory(
          signal,
          answer as NonNullable<typeof answer>,
          resourceType,
        )) {
          rows += objects.length;
        }
      }
      const failure = { reason: "Measured", message: "the benchmark read its inventory" };
      await runs.failRun(signal, run.session, run.request.runId, failure);
      return rows;
    },
    dropScope: (cluster) => declare(cluster, []),
    async query<Row extends object>(text: string) {
      return (await database.pool.query(text)).rows as Row[];
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

const COPY_MARK = `
UPDATE resource_state k SET high_watermark = f.high_watermark FROM resource_state f
WHERE f.account = $1 AND f.cluster = $2 AND f.api_group = k.api_group AND f.resource = k.resource
  AND k.account = $1 AND k.cluster = $3`;

const COPY_OBJECTS = `
INSERT INTO kubernetes_object
  (account, cluster, api_group, resource, namespace, name, api_version, state, uid, resource_version,
   observed_version, incarnation, content, checksum, content_format)
SELECT account, $3, api_group, resource, namespace, name || '-' || copy, api_version, state, uid, resource_version,
       observed_version, incarnation, content, checksum, content_format
FROM generate_series(1, $4::int) AS copy, kubernetes_object
WHERE account = $1 AND cluster = $2`;
