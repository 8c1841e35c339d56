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

/** Form of the content that {@link toContent} makes. */
export const CONTENT_FORM = formOf(DEFAULT_FORM_RULES);

/**
 * Makes the content of an object. Throws {@link UncanonicalError} for an object that the contract cannot
 * carry: it has no canonical form, or more than 4 MiB.
 */
export function toContent(object: KubeObject): ObjectContent {
  const { managedFields: _, ...metadata } = object.metadata;
  const content = Buffer.from(canonicalize({ ...object, metadata }));
  if (content.length > MAX_CONTENT_BYTES) {
    throw new UncanonicalError(
      `content of ${content.length} bytes; at most ${MAX_CONTENT_BYTES} are allowed`,
    );
  }
  return { content, checksum: checksumOf(content), form: CONTENT_FORM };
}
