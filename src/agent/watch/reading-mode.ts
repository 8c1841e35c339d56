import { sameChecksum } from "../../domain/content-format.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { KubeRefusedError, MalformedResponseError } from "../../kube/kube-error.ts";
import { type KubeObject, objectKeyOf } from "../../kube/kube-object.ts";
import { toMessage } from "../../lib/errors.ts";
import { contentFormatOf, toContent } from "../object-content.ts";
import { escapeKey } from "../representation.ts";
import type { ResourceContext } from "../resource-context.ts";
import { readCurrent } from "./read-current.ts";

/** Result of the comparison of a listed or watched object with a read of the same object. */
type Verdict = "same" | "abridged" | "open";

/**
 * The way in which the contents of one resource type are read. Some APIs abridge their lists and watches: they
 * show objects without their spec, at the same uid and version as a read. The content of an object is what a
 * read returns, so such a resource type is read one by one, and its watch events are hints.
 *
 * The way of reading is a part of the content format: rows that were written before are replaced.
 */
export class ReadingMode {
  readonly #context: ResourceContext;
  #isChecked = false;
  #isAbridged = false;

  constructor(context: ResourceContext) {
    this.#context = context;
  }

  /** True if lists and watches of the resource type abridge its objects. */
  get isAbridged(): boolean {
    return this.#isAbridged;
  }

  /** Content format of what is read now. */
  get contentFormat(): string {
    const { contentFormat, resourceType } = this.#context;
    return this.#isAbridged ? contentFormatOf(resourceType, "single") : contentFormat;
  }

  /**
   * Returns the object whose content counts for a watch event: the object of the event, or of a read. The first
   * events of a resource type are compared with a read. Returns undefined if the object cannot be read: it no
   * longer exists, and the watch reports its end, or the next run reports the failure.
   *
   * @throws the error of a read that may succeed later.
   */
  async resolve(signal: AbortSignal, shown: KubeObject): Promise<KubeObject | undefined> {
    if (this.#isChecked && !this.#isAbridged) {
      return shown;
    }
    let read: KubeObject | undefined;
    try {
      read = await this.#read(signal, shown);
    } catch (error) {
      if (!isAboutObject(error)) {
        throw error;
      }
      // A role that allows no single reads leaves only what the watch shows.
      this.#isChecked ||= error instanceof KubeRefusedError;
      this.#logUnread(shown, error);
    }
    const verdict = this.#judge(shown, read);
    // Until one read has decided, an event may lack fields. Then no later run would find a difference.
    const isShownWhole = this.#isChecked && !this.#isAbridged;
    return verdict === "same" || (read === undefined && isShownWhole) ? shown : read;
  }

  /**
   * Compares an object of a list with a read of it. Returns undefined if the two do not decide, because the
   * object changed in between or cannot be read; otherwise true if it is abridged.
   *
   * @throws the error of a read that may succeed later.
   */
  async check(signal: AbortSignal, listed: KubeObject): Promise<boolean | undefined> {
    try {
      const verdict = this.#judge(listed, await this.#read(signal, listed));
      return verdict === "open" ? undefined : verdict === "abridged";
    } catch (error) {
      if (!isAboutObject(error)) {
        throw error;
      }
      return undefined;
    }
  }

  async #read(signal: AbortSignal, shown: KubeObject): Promise<KubeObject | undefined> {
    const { resourceVersion = "" } = shown.metadata;
    return await readCurrent(signal, this.#context, objectKeyOf(shown), resourceVersion);
  }

  #judge(shown: KubeObject, read: KubeObject | undefined): Verdict {
    const isComparable =
      read !== undefined &&
      (read.metadata.uid ?? "") === (shown.metadata.uid ?? "") &&
      (read.metadata.resourceVersion ?? "") === (shown.metadata.resourceVersion ?? "");
    if (!isComparable) {
      return "open";
    }
    this.#isChecked = true;
    const { contentFormat, resourceType, log } = this.#context;
    if (sameChecksum(toContent(shown, contentFormat).checksum, toContent(read, contentFormat).checksum)) {
      return "same";
    }
    if (!this.#isAbridged) {
      this.#isAbridged = true;
      log.warn("lists and watches abridge their objects; each object is read by itself", {
        resourceType: resourceTypeKey(resourceType),
        key: escapeKey(objectKeyOf(shown)),
      });
    }
    return "abridged";
  }

  #logUnread(shown: KubeObject, error: unknown): void {
    this.#context.log.warn("object not read", {
      resourceType: resourceTypeKey(this.#context.resourceType),
      key: escapeKey(objectKeyOf(shown)),
      error: toMessage(error),
    });
  }
}

/** True if an error is about one object: others of its resource type can still be read. */
export function isAboutObject(error: unknown): boolean {
  return error instanceof MalformedResponseError || error instanceof KubeRefusedError;
}
