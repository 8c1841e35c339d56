import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { canonicalize, UncanonicalError } from "../domain/canonical-json.ts";
import { checksumOf } from "../domain/checksum.ts";
import { contentFormatFingerprint, DEFAULT_CONTENT_RULES } from "../domain/content-format.ts";
import { MAX_CONTENT_BYTES, MAX_REASON_LENGTH } from "../domain/limits.ts";
import { resourceTypeKey } from "../domain/resource-type.ts";
import type { KubeObject } from "../kube/kube-object.ts";
import type { ResourceContext } from "./resource-context.ts";

/** What is kept of an object. */
export interface ObjectContent {
  /** Canonical JSON without `metadata.managedFields`, UTF-8; empty when it cannot travel. */
  readonly content: Uint8Array;
  /** SHA-256 of the content, also of one that is too large to travel. */
  readonly checksum: Uint8Array;
  readonly contentFormat: string;
  /** Why the content cannot travel, for people; empty when it does. */
  readonly quarantineReason: string;
}

/**
 * Form of the contents of a kind. Its API version is part of it: a kind that is read in another version from now on has other
 * contents at the same versions of its objects.
 */
export function contentFormatOf({ group, version }: Pick<ResourceType, "group" | "version">): string {
  return contentFormatFingerprint({
    ...DEFAULT_CONTENT_RULES,
    apiVersion: group === "" ? version : `${group}/${version}`,
  });
}

/**
 * Makes the content of an object, of the form of its kind. An object that the contract cannot carry, because it has no
 * canonical form or more than 4 MiB, has a reason instead: its row says so, and it is not sent again until it changes.
 */
export function toContent(object: KubeObject, contentFormat: string): ObjectContent {
  const { managedFields: _, ...metadata } = object.metadata;
  try {
    const content = Buffer.from(canonicalize({ ...object, metadata }));
    const checksum = checksumOf(content);
    return content.length > MAX_CONTENT_BYTES
      ? withheld(
          `content of ${content.length} bytes; at most ${MAX_CONTENT_BYTES} are allowed`,
          checksum,
          contentFormat,
        )
      : { content, checksum, contentFormat, quarantineReason: "" };
  } catch (error) {
    if (!(error instanceof UncanonicalError)) {
      throw error;
    }
    // Without a canonical form there are no bytes to take the checksum of; the version stands for them.
    const { uid, resourceVersion } = metadata;
    return withheld(
      error.message,
      checksumOf(Buffer.from(JSON.stringify([uid, resourceVersion]))),
      contentFormat,
    );
  }
}

function withheld(reason: string, checksum: Uint8Array, contentFormat: string): ObjectContent {
  return {
    content: new Uint8Array(),
    checksum,
    contentFormat,
    quarantineReason: reason.slice(0, MAX_REASON_LENGTH),
  };
}

/** Logs and counts an object whose content cannot travel. */
export function reportQuarantined(
  { resourceType, log, counters }: ResourceContext,
  key: string,
  { quarantineReason: reason }: ObjectContent,
): void {
  if (reason !== "") {
    counters.quarantined++;
    log.error("an object is sent without its content", {
      resourceType: resourceTypeKey(resourceType),
      key,
      reason,
    });
  }
}
