import { create } from "@bufbuild/protobuf";
import {
  type BatchItem,
  BatchSchema,
  type BatchType,
  type RunRef,
} from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceContext } from "../resource-context.ts";
import { sizeOfItem } from "../uplink/batch-items.ts";
import type { UplinkSession } from "../uplink/session.ts";

/** Collects the repairs of a run, or what a dry run would repair, and sends them in batches of one type. */
export class RepairBatcher {
  readonly #context: ResourceContext;
  readonly #session: UplinkSession;
  readonly #run: RunRef;
  readonly #type: BatchType;
  readonly #revise: (item: BatchItem) => BatchItem;
  #items: BatchItem[] = [];
  #bytes = 0;

  /** `revise` is called for each item in the turn in which it is sent. */
  constructor(
    context: ResourceContext,
    session: UplinkSession,
    run: RunRef,
    type: BatchType,
    revise: (item: BatchItem) => BatchItem,
  ) {
    this.#context = context;
    this.#session = session;
    this.#run = run;
    this.#type = type;
    this.#revise = revise;
  }

  /** Adds an item. Sends the pending batch first if the item does not fit. */
  async add(signal: AbortSignal, item: BatchItem): Promise<void> {
    const size = sizeOfItem(item);
    const { maxItems, maxBytes } = this.#context.tuning.batch;
    if (this.#items.length === maxItems || this.#bytes + size > maxBytes) {
      await this.flush(signal);
    }
    this.#items.push(item);
    this.#bytes += size;
  }

  /** Sends the items added since the last batch. */
  async flush(signal: AbortSignal): Promise<void> {
    const items = this.#items;
    if (items.length === 0) {
      return;
    }
    this.#items = [];
    this.#bytes = 0;
    // Not if the incarnation ends meanwhile: its items must not become those of the next.
    await this.#session.whenRoom(signal, () => {
      const { resourceType, versions } = this.#context;
      const { incarnation } = versions;
      const batch = create(BatchSchema, {
        resourceType,
        type: this.#type,
        items: items.map(this.#revise),
        run: this.#run,
        ...(incarnation === undefined ? {} : { incarnation }),
      });
      this.#session.sendRunBatch(batch);
    });
  }
}
