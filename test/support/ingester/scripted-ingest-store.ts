import type { Batch } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type {
  ReconciliationRequest,
  ResourceInventory,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type {
  BatchOutcome,
  IngestStore,
  RunAttempt,
  ScrubLimits,
  ScrubOutcome,
  SentInventory,
  StreamPosition,
} from "../../../src/store/ingest-store.ts";

/** A store that records its calls; a test replaces the results. */
export class ScriptedIngestStore implements IngestStore {
  /** "cluster sequence operation" of each completed call. */
  readonly applied: string[] = [];
  /** Called at the start of each write; may wait or throw. */
  onApply: (position: StreamPosition, attempt: number) => Promise<void> | void = () => {};
  outcome: (batch: Batch) => BatchOutcome = ({ items }) => ({ applied: items.length, quarantined: [] });
  resourceTypes: readonly ResourceType[] = [];
  inventory: (answer: RunAttempt, resourceType: ResourceType) => Iterable<ResourceInventory> = () => [];
  isAnswered = true;
  /** The scrubs, with the resource type and the limits of each. */
  readonly scrubs: ({ readonly resource: string } & ScrubLimits)[] = [];
  scrubOutcome: ScrubOutcome = { rows: 0, damaged: [] };
  readonly inventoryBytes: number[] = [];
  readonly sent: SentInventory[] = [];
  #attempts = new Map<string, number>();
  #answers = 0;

  async applyBatch(signal: AbortSignal, position: StreamPosition, batch: Batch): Promise<BatchOutcome> {
    signal.throwIfAborted();
    await this.#write(position, "batch");
    return this.outcome(batch);
  }

  async judgeBatch(signal: AbortSignal, position: StreamPosition): Promise<void> {
    signal.throwIfAborted();
    await this.#write(position, "judged");
  }

  async applyScope(signal: AbortSignal, position: StreamPosition): Promise<void> {
    signal.throwIfAborted();
    await this.#write(position, "scope");
  }

  async applyResourcesReconciled(signal: AbortSignal, position: StreamPosition): Promise<void> {
    signal.throwIfAborted();
    await this.#write(position, "reconciled");
  }

  async beginAttempt(
    _signal: AbortSignal,
    position: StreamPosition,
    request: ReconciliationRequest,
  ): Promise<RunAttempt | undefined> {
    this.#answers += 1;
    const attempt = this.#answers;
    const { resourceTypes } = this;
    return this.isAnswered
      ? { position, request, attempt, replyTopic: "replies/test", resourceTypes }
      : undefined;
  }

  async scrub(
    _signal: AbortSignal,
    _position: StreamPosition,
    { resource }: ResourceType,
    limits: ScrubLimits,
  ): Promise<ScrubOutcome> {
    this.scrubs.push({ resource, ...limits });
    return this.scrubOutcome;
  }

  async *readInventory(_signal: AbortSignal, answer: RunAttempt, resourceType: ResourceType) {
    yield* this.inventory(answer, resourceType);
  }

  async recordInventories(
    _signal: AbortSignal,
    _answer: RunAttempt,
    inventories: readonly SentInventory[],
    bytes: number,
  ): Promise<void> {
    this.sent.push(...inventories);
    this.inventoryBytes.push(bytes);
  }

  async #write(position: StreamPosition, what: string): Promise<void> {
    const line = `${position.cluster} ${position.sequence} ${what}`;
    const attempt = (this.#attempts.get(line) ?? 0) + 1;
    this.#attempts.set(line, attempt);
    await this.onApply(position, attempt);
    this.applied.push(line);
  }
}
