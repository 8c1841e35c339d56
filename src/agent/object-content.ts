import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { canonicalize, UncanonicalError } from "../domain/canonical-json.ts";
import { checksumOf, contentFormatFingerprint, DEFAULT_CONTENT_RULES } from "../domain/content-format.ts";
import { MAX_CONTENT_BYTES, MAX_REASON_LENGTH } from "../domain/limits.ts";
import { resourceTypeKey } from "../domain/resource-type.ts";
import type { KubeObject, ObjectMeta } from "../kube/kube-object.ts";
import { carriedIdentity } from "./representation.ts";
import type { ResourceContext } from "./resource-context.ts";

/** Content of an object with its checksum, or the reason why it is withheld. */
export interface ObjectContent {
  /** Canonical JSON in UTF-8, without `metadata.managedFields`; empty if the content is withheld. */
  readonly content: Uint8Array;
  /** SHA-256 of the content, also if the content is too large to send. */
  readonly checksum: Uint8Array;
  readonly contentFormat: string;
  /** Reason why the content is withheld, for people; empty otherwise. */
  readonly quarantineReason: string;
}

/**
 * Returns the content format of a resource type. It includes the API version, because another version serves
 * other content at the same resource versions, and the way of reading if only single reads are complete.
 */
export function contentFormatOf(
  { group, version }: Pick<ResourceType, "group" | "version">,
  reading?: "single",
): string {
  return contentFormatFingerprint({
    ...DEFAULT_CONTENT_RULES,
    ...(reading === undefined ? {} : { reading }),
    apiVersion: group === "" ? version : `${group}/${version}`,
  });
}

/**
 * Creates the content of an object. If the contract cannot carry the object, because its content has no
 * canonical form or more than 4 MiB, or its uid or version is too long, the result has a reason instead: its
 * row becomes a quarantined row, and the object is sent again only after it changes.
 */
export function toContent(object: KubeObject, contentFormat: string): ObjectContent {
  const { managedFields: _, ...metadata } = object.metadata;
  try {
    const content = Buffer.from(canonicalize({ ...object, metadata }));
    const checksum = checksumOf(content);
    const { reason } = carriedIdentity(metadata);
    if (reason !== "") {
      return withheld(reason, checksum, contentFormat);
    }
    return content.length > MAX_CONTENT_BYTES
      ? withheld(
          `content: expected at most ${MAX_CONTENT_BYTES} bytes, found ${content.length}`,
          checksum,
          contentFormat,
        )
      : { content, checksum, contentFormat, quarantineReason: "" };
  } catch (error) {
    if (!(error instanceof UncanonicalError)) {
      throw error;
    }
    return withoutContent(metadata, contentFormat, error.message);
  }
}

/**
 * Returns the content of an object without canonical form, of which there are no bytes to hash: uid and version
 * identify its state instead.
 */
export function withoutContent(
  metadata: Pick<ObjectMeta, "uid" | "resourceVersion">,
  contentFormat: string,
  reason: string,
): ObjectContent {
  const { uid, resourceVersion } = carriedIdentity(metadata);
  const checksum = checksumOf(Buffer.from(JSON.stringify([uid, resourceVersion])));
  return withheld(reason, checksum, contentFormat);
}

function withheld(reason: string, checksum: Uint8Array, contentFormat: string): ObjectContent {
  return {
    content: new Uint8Array(),
    checksum,
    contentFormat,
    quarantineReason: reason.slice(0, MAX_REASON_LENGTH).toWellFormed(),
  };
}

/** Logs and counts an object that is sent without its content. */
export function reportQuarantined(
  { resourceType, log, counters }: ResourceContext,
  key: string,
  { quarantineReason: reason }: ObjectContent,
): void {
  if (reason !== "") {
    counters.quarantined++;
    log.error("object sent without its content", {
      resourceType: resourceTypeKey(resourceType),
      key,
      reason,
    });
  }
}
