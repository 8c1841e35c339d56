import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type BatchItem,
  BatchType,
  ReconciliationTrigger,
  RunRefSchema,
} from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  type ReconciliationRequest,
  type ResourceInventory,
  type ResourceReconciled,
  ResourceReconciledSchema,
  ResourcesReconciledSchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import {
  RemovalReason,
  ResourceScopeSchema,
  type ScopeDeclared,
  ScopeDeclaredSchema,
} from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { INITIATOR } from "../../../src/backend/runs/request-run.ts";
import type { DeletionGuard } from "../../../src/domain/reconciliation/deletion-guard.ts";
import { resourceTypeKey } from "../../../src/domain/resource-type.ts";
import type { Log } from "../../../src/lib/log.ts";
import { createSystemRandom } from "../../../src/lib/random.ts";
import type { DeletionStore } from "../../../src/store/deletion-store.ts";
import type {
  BatchOutcome,
  IngestStore,
  RunAttempt,
  StreamPosition,
} from "../../../src/store/ingest-store.ts";
import { createDatabase, type Database } from "../../../src/store/postgres/database.ts";
import { createPgDeletionStore } from "../../../src/store/postgres/pg-deletion-store.ts";
import { createPgIngestStore } from "../../../src/store/postgres/pg-ingest-store.ts";
import { createPgRunStore } from "../../../src/store/postgres/pg-run-store.ts";
import { createPgSessionStore } from "../../../src/store/postgres/pg-session-store.ts";
import type { RunStore } from "../../../src/store/run-store.ts";
import type {
  HeldCluster,
  OpenedSession,
  SessionRequest,
  SessionStore,
} from "../../../src/store/session-store.ts";
import { createTestLog } from "../vitest/test-log.ts";
import { batch, CONFIG_MAPS, PODS } from "./messages.ts";

/** A row, in the form that tests compare. */
export interface Row {
  readonly key: string;
  readonly state: string;
  readonly observed: string;
  readonly version: string;
  readonly content: string | null;
  readonly trusted: boolean;
}

/** Fields of an end of a comparison. */
export type EndInit = Exclude<MessageInitShape<typeof ResourceReconciledSchema>, { $typeName: string }>;

/** Parts of a {@link World} that several share. */
export interface WorldOptions {
  /** Default "acme". */
  readonly account?: string;
  /** Closed with the first world that is disposed of. */
  readonly database?: Database;
  /** Default: that of the store. */
  readonly guard?: DeletionGuard;
}

/** A statement that writes rows of objects or resource types. */
const EDIT = /(?:INSERT INTO|UPDATE|DELETE FROM) (?:kubernetes_object|resource_state)/;

/** One cluster in a database, with the calls of its agent, its backend and an operator with psql. */
export class World implements AsyncDisposable {
  readonly signal = new AbortController().signal;
  readonly database: Database;
  readonly store: IngestStore;
  readonly sessions: SessionStore;
  readonly runs: RunStore;
  readonly deletions: DeletionStore;
  readonly account: string;
  readonly cluster: string;
  /** Messages about deletions that the store withheld. */
  readonly withheld: string[] = [];
  /** True if something else than the store wrote rows. */
  isEdited = false;
  epoch = 0n;
  sequence = 0n;
  #generation = 0n;
  /** Objects in the last inventory of each resource type. */
  readonly #sent = new Map<string, bigint>();
  readonly #log: Log;

  constructor(
    url: string,
    cluster: string,
    { account = "acme", database = createDatabase({ url, maxConnections: 4 }), guard }: WorldOptions = {},
  ) {
    this.account = account;
    this.#log = createTestLog(`store ${cluster}`);
    this.database = database;
    const random = createSystemRandom();
    this.store = createPgIngestStore(this.database, {
      ...(guard && { guard }),
      onWithheld: (_cluster, withheld) => this.withheld.push(withheld.failure.message),
    });
    this.deletions = createPgDeletionStore(this.database);
    this.sessions = createPgSessionStore(this.database, random);
    this.runs = createPgRunStore(this.database, random);
    this.cluster = cluster;
  }

  /**
   * Opens a session. Its first message has the sequence 1. Closes the world's open session before, as a backend does
   * when the stream of its agent ends.
   */
  async connect(instanceId = "agent-1", clusterUid?: string): Promise<ReconciliationRequest | undefined> {
    await this.sessions.closeSession(this.signal, this.at(0n), false);
    const opened = await this.request(instanceId, false, clusterUid);
    if (opened.type === "held") {
      throw new Error(`cluster ${this.cluster}: held by ${opened.activeInstanceId}`);
    }
    this.epoch = opened.epoch;
    this.#log.debug("session opened", { instanceId, epoch: this.epoch, run: opened.connectRun?.runId });
    this.sequence = 0n;
    this.#generation = 0n;
    return opened.connectRun;
  }

  /** Opens a session by another store. */
  async connectBy(sessions: SessionStore, instanceId: string, clusterUid: string): Promise<void> {
    await sessions.openSession(this.signal, this.#request(instanceId, false, clusterUid));
  }

  /** Requests a session, and leaves the world in its own. */
  async request(
    instanceId: string,
    mayReplaceSilent = false,
    clusterUid = `uid of ${this.cluster}`,
  ): Promise<OpenedSession | HeldCluster> {
    return await this.sessions.openSession(
      this.signal,
      this.#request(instanceId, mayReplaceSilent, clusterUid),
    );
  }

  #request(instanceId: string, mayReplaceSilent: boolean, clusterUid: string): SessionRequest {
    return {
      account: this.account,
      cluster: this.cluster,
      clusterUid,
      instanceId,
      agentVersion: "test",
      kubernetesVersion: "",
      initiator: INITIATOR,
      replyTopic: "replies/1",
      runDeadlineMs: 60_000,
      mayReplaceSilent,
    };
  }

  /** Returns the position of the next message. */
  next(): StreamPosition {
    this.sequence += 1n;
    return this.at(this.sequence);
  }

  at(sequence: bigint): StreamPosition {
    return { account: this.account, cluster: this.cluster, epoch: this.epoch, sequence };
  }

  async declare(
    resourceTypes: readonly ResourceType[] = [PODS, CONFIG_MAPS],
    namespaces: readonly string[] = [],
    removed: readonly ResourceType[] = [],
  ): Promise<void> {
    const scope = this.nextScope(resourceTypes, namespaces, removed);
    await this.store.applyScope(this.signal, this.next(), scope);
  }

  /** Returns the next declaration. Its place in the stream is the caller's. */
  nextScope(
    resourceTypes: readonly ResourceType[],
    namespaces: readonly string[] = [],
    removed: readonly ResourceType[] = [],
  ): ScopeDeclared {
    this.#generation += 1n;
    return create(ScopeDeclaredSchema, {
      generation: this.#generation,
      removed: removed.map((resourceType) => ({ resourceType, reason: RemovalReason.NOT_SERVED })),
      namespaces: [...namespaces],
      resources: resourceTypes.map((resourceType) =>
        create(ResourceScopeSchema, { resourceType, namespaced: true }),
      ),
    });
  }

  async apply(...items: BatchItem[]): Promise<BatchOutcome> {
    const outcome = await this.store.applyBatch(this.signal, this.next(), batch(items));
    this.#log.debug("batch applied", { sequence: this.sequence, items: items.length, ...outcome });
    return outcome;
  }

  /** Begins a MANUAL run and returns its answer. */
  async beginRun(dryRun = false): Promise<{
    readonly request: ReconciliationRequest;
    readonly inventories: ResourceInventory[];
  }> {
    const { request } = await this.requestRun(dryRun);
    return { request, inventories: await this.answer(request) };
  }

  /** Requests a MANUAL run. */
  async requestRun(dryRun = false) {
    return await this.runs.createRun(this.signal, {
      account: this.account,
      cluster: this.cluster,
      initiator: INITIATOR,
      trigger: ReconciliationTrigger.MANUAL,
      deadlineMs: 60_000,
      dryRun,
    });
  }

  /** Returns the answer to the request: all chunks of all resource types. */
  async answer(request: ReconciliationRequest): Promise<ResourceInventory[]> {
    const answer = await this.store.beginAttempt(this.signal, this.at(0n), request);
    const inventories: ResourceInventory[] = [];
    for (const resourceType of answer === undefined ? [] : answer.resourceTypes) {
      const chunks = await Array.fromAsync(
        this.store.readInventory(this.signal, answer as RunAttempt, resourceType),
      );
      inventories.push(...chunks);
      const objects = chunks.reduce((sum, chunk) => sum + chunk.objects.length, 0);
      this.#sent.set(resourceTypeKey(resourceType), BigInt(objects));
      const { incarnation = 0n, chunk } = chunks[0] ?? {};
      const sent = { resourceType, objects, incarnation, highWatermark: chunk?.highWatermark ?? "0" };
      await this.store.recordInventories(this.signal, answer as RunAttempt, [sent], 100);
    }
    return inventories;
  }

  /** Returns the agent's end of a resource type: by default, every object in the inventory was listed and equal. */
  endOf(
    resourceType: ResourceType,
    listVersion: number | string,
    firstSequence: bigint,
    init: EndInit = {},
  ): ResourceReconciled {
    const sent = this.#sent.get(resourceTypeKey(resourceType)) ?? 0n;
    return create(ResourceReconciledSchema, {
      resourceType,
      listVersion: String(listVersion),
      firstSequence,
      scopeGeneration: this.#generation,
      ...{ listed: sent, equal: sent, compared: sent },
      ...init,
    });
  }

  /** Applies the agent's ends of resource types. */
  async verifyResources(
    runId: string,
    ends: readonly ResourceReconciled[],
    position = this.next(),
    attempt = 1,
  ): Promise<void> {
    const reconciled = create(ResourcesReconciledSchema, { run: { runId, attempt }, ends: [...ends] });
    await this.store.applyResourcesReconciled(this.signal, position, reconciled);
    this.#log.debug("comparisons applied", { sequence: position.sequence, runId, ends: ends.length });
  }

  /** Applies the agent's end of one resource type, as {@link endOf} returns it. */
  async verifyResource(
    runId: string,
    resourceType: ResourceType,
    listVersion: number | string,
    firstSequence: bigint,
    position = this.next(),
    init: EndInit = {},
    attempt = 1,
  ): Promise<void> {
    const end = this.endOf(resourceType, listVersion, firstSequence, init);
    await this.verifyResources(runId, [end], position, attempt);
  }

  /** Applies repairs of a run to pods. */
  async repair(runId: string, ...items: BatchItem[]): Promise<void> {
    await this.store.applyBatch(this.signal, this.next(), batch(items, PODS, runId));
  }

  /** Judges the answers of a dry run about pods. */
  async judge(
    runId: string,
    items: readonly BatchItem[],
    attempt = 1,
    position = this.next(),
  ): Promise<void> {
    const answer = batch(items, PODS, runId);
    const run = create(RunRefSchema, { runId, attempt });
    await this.store.judgeBatch(this.signal, position, { ...answer, type: BatchType.DRY_RUN, run });
  }

  /** Completes a run that verifies the default scope at the list version. */
  async verifyAll(listVersion: number): Promise<void> {
    const { request } = await this.beginRun();
    for (const resourceType of [PODS, CONFIG_MAPS]) {
      await this.verifyResource(request.runId, resourceType, listVersion, this.sequence + 1n);
    }
  }

  async rows(resource = "pods"): Promise<Row[]> {
    const { rows } = await this.database.pool.query<Row>(
      `SELECT namespace || '/' || name AS key, state, observed_version AS observed, resource_version AS version,
              content::text AS content, checksum IS NOT NULL AS trusted
       FROM kubernetes_object WHERE account = $1 AND cluster = $2 AND resource = $3 ORDER BY namespace, name`,
      [this.account, this.cluster, resource],
    );
    return rows;
  }

  async row(key: string): Promise<Row | undefined> {
    return (await this.rows()).find((row) => row.key === key);
  }

  /** Returns a hash over all rows of objects, resource types and findings of the cluster, as the database has them. */
  async hash(): Promise<string> {
    const tables = ["kubernetes_object", "resource_state", "reconciliation_finding"];
    const rows = tables.map((table) => `SELECT t::text AS row FROM ${table} t WHERE cluster = $1`);
    const [result] = await this.sql<{ hash: string }>(
      `SELECT md5(coalesce(string_agg(row, E'\\n' ORDER BY row), '')) AS hash FROM (${rows.join(" UNION ALL ")}) r`,
    );
    return result?.hash ?? "";
  }

  /** Runs SQL as an operator would. `$1` is the cluster. */
  async sql<T extends object = Record<string, unknown>>(text: string): Promise<T[]> {
    const { rows } = await this.database.pool.query(text, [this.cluster]);
    this.isEdited ||= EDIT.test(text);
    this.#log.debug("statement executed", { text, rows: rows.length });
    return rows as T[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database[Symbol.asyncDispose]();
  }
}
