import type { BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { DeleteReason } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import { formatKey, type ObjectKey } from "../../domain/object-key.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { parseResourceVersion } from "../../domain/resource-version.ts";
import type { KubeObject } from "../../kube/kube-object.ts";
import { reportQuarantined, toContent } from "../object-content.ts";
import type { ResourceContext } from "../resource-context.ts";
import { deleteItem, putItem } from "../uplink/batch-items.ts";
import type { ChangeSink } from "../uplink/change.ts";
import type { PackedIndex } from "./object-index.ts";

/**
 * Sends observations of one resource type, and keeps the index equal to the sent state.
 *
 * An observation older than the index is skipped: it is an old event, delivered after a list or a read has
 * already shown its result. The index changes only after the sink has accepted the change, so an unsent
 * change is detected again.
 */
export class IndexWriter {
  readonly index: PackedIndex;
  readonly #context: ResourceContext;
  readonly #sink: ChangeSink;

  constructor(context: ResourceContext, index: PackedIndex, sink: ChangeSink) {
    this.#context = context;
    this.index = index;
    this.#sink = sink;
  }

  /** Sends the observation "the object was this" at version `observed`. */
  async put(signal: AbortSignal, object: KubeObject, observed: bigint): Promise<void> {
    const key = formatKey(objectKeyOf(object));
    const { uid, resourceVersion } = object.metadata;
    if (this.#knowsNewer(key, parseResourceVersion(resourceVersion) ?? observed)) {
      return;
    }
    const content = toContent(object, this.#context.contentFormat);
    reportQuarantined(this.#context, key, content);
    await this.#send(signal, putItem(object, content, String(observed)));
    this.index.set(key, { uid, resourceVersion, checksum: content.checksum });
  }

  /** Sends the observation "the object was absent" at version `observed`. */
  async delete(
    signal: AbortSignal,
    key: ObjectKey,
    uid: string,
    observed: bigint,
    reason: DeleteReason,
  ): Promise<void> {
    const text = formatKey(key);
    if (!this.#knowsNewer(text, observed)) {
      await this.#send(signal, deleteItem(key, uid, String(observed), reason));
      this.index.delete(text);
    }
  }

  #knowsNewer(key: string, version: bigint): boolean {
    const known = this.index.get(key);
    return known !== undefined && (parseResourceVersion(known.resourceVersion) ?? 0n) > version;
  }

  async #send(signal: AbortSignal, item: BatchItem): Promise<void> {
    const { resourceType, versions, tracer } = this.#context;
    const span = tracer.start("observe", { attributes: { resourceType: resourceTypeKey(resourceType) } });
    const { incarnation } = versions;
    await this.#sink.offer(signal, { resourceType, incarnation, item, traceParent: span.traceParent });
    span.end();
  }
}

/** Returns the key of an object. */
export function objectKeyOf({ metadata }: KubeObject): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}
