import { create } from "@bufbuild/protobuf";
import {
  type Batch,
  type BatchItem,
  BatchItemSchema,
  BatchSchema,
  BatchType,
  ReconciliationTrigger,
} from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  type PutObject,
  PutObjectSchema,
  VerifyObjectSchema,
} from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import type {
  ResourceReconciled,
  ResourcesReconciled,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import {
  ObjectKeySchema,
  type ResourceType,
  ResourceTypeSchema,
} from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ScopeDeclared } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import {
  AcknowledgementSchema,
  type Hello,
  StandbySchema,
  type SyncRequest,
  type SyncResponse,
  SyncResponseSchema,
  WelcomeSchema,
} from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import type { OpenSync } from "../../../src/agent/uplink/session.ts";
import { compareKeys, formatKey, parseKey } from "../../../src/domain/object-key.ts";
import { parseResourceType, resourceTypeKey } from "../../../src/domain/resource-type.ts";
import { BoundedQueue } from "../../../src/lib/bounded-queue.ts";
import { RetryableError } from "../../../src/lib/errors.ts";
import type { LogFields } from "../../../src/lib/log.ts";
import { createTestLog } from "../vitest/test-log.ts";

/** The latest observation of an object. */
export interface Row {
  readonly incarnation: bigint;
  readonly observed: bigint;
  /** Undefined in a tombstone. */
  readonly put: PutObject | undefined;
}

/** The end of a comparison with its run. */
export type ReceivedEnd = ResourceReconciled & Pick<ResourcesReconciled, "run">;

/** Parameters of a requested comparison. */
export interface AskOptions {
  readonly trigger?: ReconciliationTrigger;
  readonly attempt?: number;
  /** Rows of each chunk; default: all rows in one chunk. */
  readonly chunkSize?: number;
  /** Indexes of the chunks that are sent; default: all. */
  readonly only?: readonly number[];
  readonly runId?: string;
  readonly managed?: readonly string[];
  readonly highWatermark?: bigint;
  /** True for a dry run; its answers change no row. */
  readonly dryRun?: boolean;
}

/**
 * Backend, bus, ingester and Postgres in memory, as the agent sees them: applies each observation by the rule
 * of the contract, acknowledges it, and sends inventories of its rows.
 */
export class FakeBackend {
  /** Rows by resource type and key. */
  readonly rows = new Map<string, Map<string, Row>>();
  readonly incarnations = new Map<string, bigint>();
  readonly marks = new Map<string, bigint>();
  readonly reconciled: ReceivedEnd[] = [];
  /** Answers to dry runs. */
  readonly judged: Batch[] = [];
  readonly scopes: ScopeDeclared[] = [];
  /** Resource types in the stored scope. */
  readonly storedScope = new Map<string, ResourceType>();
  readonly hellos: Hello[] = [];
  /** Numbered messages of the current session. */
  received: SyncRequest[] = [];
  holdAcknowledgements = false;
  maxUnacknowledgedBytes = 16n * 1024n * 1024n;
  /** Process that has the cluster's session; the agent is a standby while it is set. */
  activeInstanceId: string | undefined;
  epoch = 0n;
  #outbound = new BoundedQueue<SyncResponse>(
    { maxItems: 100_000, maxBytes: Number.POSITIVE_INFINITY },
    () => 0,
  );
  #runs = 0;
  readonly #log = createTestLog("backend");

  readonly openSync: OpenSync = (signal, requests) => this.#sync(signal, requests);

  /** Ends the session. */
  disconnect(error: Error = new RetryableError("cut off")): void {
    this.#outbound.close(error);
  }

  /** Sends a message. */
  send(message: SyncResponse["message"]): void {
    this.#log.debug(`${message.case} sent`, summarize(message));
    this.#outbound.offer(create(SyncResponseSchema, { message }));
  }

  /** Sends the inventory of a resource type for comparison; returns the run's ID. */
  ask(resourceText: string, options: AskOptions = {}): string {
    const parsed = parseResourceType(resourceText);
    if (parsed === undefined) {
      throw new Error(`no resource type: ${resourceText}`);
    }
    const { version = "v1", ...name } = parsed;
    const resourceType = create(ResourceTypeSchema, { ...name, version });
    const key = resourceTypeKey(resourceType);
    const {
      trigger = ReconciliationTrigger.INTERVAL,
      attempt = 1,
      chunkSize = 1_000_000,
      managed = [],
    } = options;
    const runId = options.runId ?? `00000000-0000-4000-8000-${String(++this.#runs).padStart(12, "0")}`;
    const held = [...(this.rows.get(key) ?? [])]
      .filter(([k, { put }]) => put !== undefined && !managed.includes(k))
      .toSorted(([a], [b]) => compareKeys(a, b));
    const chunks = Math.max(1, Math.ceil(held.length / chunkSize));
    for (let i = 0; i < chunks; i++) {
      const part = held.slice(i * chunkSize, (i + 1) * chunkSize);
      const batch = create(BatchSchema, {
        resourceType,
        type: options.dryRun ? BatchType.DRY_RUN : BatchType.RECONCILIATION,
        incarnation: this.incarnations.get(key) ?? 0n,
        items: part.map(([, { put }]) => toVerify(put)),
        chunk: {
          run: { runId, attempt },
          range: {
            ...toEnd("after", held[i * chunkSize - 1]?.[0]),
            ...toEnd("through", i === chunks - 1 ? undefined : part.at(-1)?.[0]),
          },
          trigger,
          highWatermark: String(options.highWatermark ?? this.marks.get(key) ?? 0n),
          managed: managed.map((text) => create(ObjectKeySchema, parseKey(text) ?? {})),
        },
      });
      if (options.only?.includes(i) ?? true) {
        this.send({ case: "batch", value: batch });
      }
    }
    return runId;
  }

  /** Returns the contents of a resource type by key. */
  contents(resourceKey: string): Record<string, string> {
    const rows = [...(this.rows.get(resourceKey) ?? [])].toSorted(([a], [b]) => compareKeys(a, b));
    return Object.fromEntries(
      rows.flatMap(([key, { put }]) =>
        put === undefined ? [] : [[key, Buffer.from(put.content).toString()]],
      ),
    );
  }

  async *#sync(signal: AbortSignal, requests: AsyncIterable<SyncRequest>): AsyncGenerator<SyncResponse> {
    this.#outbound = new BoundedQueue({ maxItems: 100_000, maxBytes: Number.POSITIVE_INFINITY }, () => 0);
    const outbound = this.#outbound;
    this.received = [];
    const reading = this.#read(requests, outbound);
    try {
      yield* outbound.take(signal);
    } finally {
      // The agent ends its requests only after it has seen the end of the responses.
      outbound.close();
      reading.catch(() => {});
    }
  }

  async #read(requests: AsyncIterable<SyncRequest>, outbound: BoundedQueue<SyncResponse>): Promise<void> {
    try {
      for await (const request of requests) {
        if (outbound !== this.#outbound) {
          return;
        }
        this.#receive(request);
      }
      outbound.close();
    } catch (error) {
      outbound.close(error);
    }
  }

  #receive(request: SyncRequest): void {
    const { sequence, message: received } = request;
    this.#log.debug(`${received.case} received`, { sequence, ...summarize(received) });
    if (request.message.case === "hello") {
      this.hellos.push(request.message.value);
      if (this.activeInstanceId !== undefined) {
        this.noticeStandby();
        return;
      }
      this.welcome();
      return;
    }
    this.received.push(request);
    const { message } = request;
    switch (message.case) {
      case "scopeDeclared":
        this.#store(message.value);
        break;
      case "batch":
        if (message.value.type === BatchType.DRY_RUN) {
          this.judged.push(message.value);
        } else {
          this.#apply(message.value);
        }
        break;
      case "resourcesReconciled": {
        const { run, ends } = message.value;
        this.reconciled.push(...ends.map((end) => ({ ...end, run })));
        break;
      }
      default:
        throw new Error(`unexpected ${message.case}`);
    }
    if (!this.holdAcknowledgements) {
      this.acknowledge();
    }
  }

  #store(scope: ScopeDeclared): void {
    this.scopes.push(scope);
    for (const { resourceType } of scope.removed) {
      this.storedScope.delete(resourceTypeKey(resourceType));
    }
    for (const { resourceType } of scope.resources) {
      if (resourceType !== undefined) {
        this.storedScope.set(resourceTypeKey(resourceType), resourceType);
      }
    }
  }

  /** Notifies the agent that it is a standby. */
  noticeStandby(): void {
    this.send({
      case: "standby",
      value: create(StandbySchema, { activeInstanceId: this.activeInstanceId ?? "" }),
    });
  }

  /** Opens the session that the agent has asked for. */
  welcome(): void {
    const limits = {
      maxMessageBytes: 6 * 1024 * 1024,
      maxUnacknowledgedBytes: this.maxUnacknowledgedBytes,
    };
    const storedScope = { resourceTypes: [...this.storedScope.values()] };
    this.send({
      case: "welcome",
      value: create(WelcomeSchema, { epoch: ++this.epoch, limits, storedScope }),
    });
  }

  /** Acknowledges all received messages. */
  acknowledge(): void {
    const sequence = this.received.at(-1)?.sequence ?? 0n;
    this.send({ case: "acknowledgement", value: create(AcknowledgementSchema, { sequence }) });
  }

  #apply(batch: Batch): void {
    const resourceKey = resourceTypeKey(batch.resourceType);
    const rows = this.rows.get(resourceKey) ?? new Map<string, Row>();
    this.rows.set(resourceKey, rows);
    const present = this.incarnations.get(resourceKey) ?? 0n;
    const incarnation = batch.incarnation ?? present;
    if (incarnation > present) {
      this.incarnations.set(resourceKey, incarnation);
      this.marks.set(resourceKey, 0n);
    }
    for (const { message } of batch.items) {
      if (message.case !== "putObject" && message.case !== "deleteObject") {
        throw new Error(`unexpected ${message.case}`);
      }
      const key = formatKey(message.value.ref ?? { namespace: "", name: "" });
      const observed = BigInt(message.value.observedVersion || batch.observedVersion || "0");
      const row = rows.get(key);
      const isNewer =
        row === undefined ||
        incarnation > row.incarnation ||
        (incarnation === row.incarnation && observed >= row.observed);
      if (isNewer) {
        rows.set(key, {
          incarnation,
          observed,
          put: message.case === "putObject" ? message.value : undefined,
        });
      }
      this.marks.set(
        resourceKey,
        observed > (this.marks.get(resourceKey) ?? 0n) ? observed : (this.marks.get(resourceKey) ?? 0n),
      );
    }
  }
}

/** Fields of a message, as one line of a log shows them. */
function summarize({ case: type, value }: SyncRequest["message"] | SyncResponse["message"]): LogFields {
  switch (type) {
    case "batch":
      return {
        resource: resourceTypeKey(value.resourceType),
        run: (value.run ?? value.chunk?.run)?.runId,
        items: value.items.length,
        first: value.items.slice(0, 5).map(({ message: item }) => {
          return `${item.case} ${item.value?.ref === undefined ? "" : formatKey(item.value.ref)}`;
        }),
      };
    case "resourcesReconciled":
      return {
        run: value.run?.runId,
        ends: value.ends.map(({ resourceType, failure }) => {
          return [resourceTypeKey(resourceType), failure?.reason];
        }),
      };
    case "acknowledgement":
      return { acknowledged: value.sequence };
    default:
      return {};
  }
}

function toVerify(put: PutObject | undefined): BatchItem {
  const { ref, uid, resourceVersion, checksum, contentFormat } = put ?? create(PutObjectSchema);
  const value = create(VerifyObjectSchema, { uid, resourceVersion, checksum, contentFormat });
  return create(BatchItemSchema, {
    message: { case: "verifyObject", value: ref === undefined ? value : { ...value, ref } },
  });
}

/** One end of a key range; unset is unbounded. */
function toEnd(end: "after" | "through", key: string | undefined) {
  return key === undefined ? {} : { [end]: create(ObjectKeySchema, parseKey(key) ?? {}) };
}
