import type { ResourceKind } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { canonicalize } from "../domain/canonical-json.ts";
import { checksumOf } from "../domain/checksum.ts";
import { DEFAULT_FORM_RULES, formOf } from "../domain/form.ts";
import { UncanonicalError } from "../domain/uncanonical-error.ts";
import type { KubeObject } from "../kube/kube-object.ts";

/** What is kept of an object. */
export interface ObjectContent {
  /** Canonical JSON without `metadata.managedFields`, UTF-8. */
  readonly content: Uint8Array;
  /** SHA-256 of content. */
  readonly checksum: Uint8Array;
  readonly form: string;
}

/** The contract's limit on PutObject.content. */
const MAX_CONTENT_BYTES = 4 * 1024 * 1024;

/**
 * Form of the contents of a kind. Its API version is part of it: a kind that is read in another version from now on has other
 * contents at the same versions of its objects.
 */
export function contentFormOf({ group, version }: Pick<ResourceKind, "group" | "version">): string {
  return formOf({ ...DEFAULT_FORM_RULES, apiVersion: group === "" ? version : `${group}/${version}` });
}

/**
 * Makes the content of an object, of the form of its kind. Throws {@link UncanonicalError} for an object that the contract cannot
 * carry: it has no canonical form, or more than 4 MiB.
 */
export function toContent(object: KubeObject, form: string): ObjectContent {
  const { managedFields: _, ...metadata } = object.metadata;
  const content = Buffer.from(canonicalize({ ...object, metadata }));
  if (content.length > MAX_CONTENT_BYTES) {
    throw new UncanonicalError(
      `content of ${content.length} bytes; at most ${MAX_CONTENT_BYTES} are allowed`,
    );
  }
  return { content, checksum: checksumOf(content), form };
}
