import { create } from "@bufbuild/protobuf";
import { type BatchItem, BatchItemSchema } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { VerifyObjectSchema } from "../../gen/proto/evenkeel/v1/object_pb.ts";
import { ObjectRefSchema } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { checksumOf } from "../domain/content-format.ts";
import { formatKey, type ObjectKey } from "../domain/object-key.ts";
import { findViolation } from "../domain/validation.ts";
import { truncate } from "../lib/text.ts";

/*
 * The limits of the contract for what the API server serves. The rules of the .proto decide, so that the two
 * cannot drift apart. Nearly all objects match the expressions below, which accept a part of what the rules
 * accept; only the others are validated.
 */
const ORDINARY_NAME = /^[a-z0-9][-a-z0-9.:]{0,252}$/;
const ORDINARY_NAMESPACE = /^(?:[a-z0-9]|[a-z0-9][-a-z0-9]{0,61}[a-z0-9])?$/;
const ORDINARY_IDENTITY = /^[-0-9a-zA-Z]{0,128}$/;

/** Longest escaped key in a message or a log, in bytes. */
const MAX_ESCAPED_BYTES = 256;

/** Identity and version of an object in the form that the contract carries. */
export interface CarriedIdentity {
  readonly uid: string;
  readonly resourceVersion: string;
  /** Reason why a value differs from the object's own; empty if both are its own. */
  readonly reason: string;
}

/**
 * Returns the reason why no row can have this key, such as a name of more than 1,024 bytes; undefined if a
 * row can.
 */
export function findKeyProblem({ namespace, name }: ObjectKey): string | undefined {
  if (isOrdinaryKey({ namespace, name })) {
    return undefined;
  }
  return (
    findTextProblem(namespace) ??
    findTextProblem(name) ??
    findViolation(ObjectRefSchema, create(ObjectRefSchema, { namespace, name }))
  );
}

/**
 * Returns uid and version of an object. A value that the contract cannot carry is replaced by its SHA-256, so
 * that equal values stay equal and different ones different.
 */
export function carriedIdentity(metadata: {
  readonly uid?: string;
  readonly resourceVersion?: string;
}): CarriedIdentity {
  const uid = metadata.uid ?? "";
  const resourceVersion = metadata.resourceVersion ?? "";
  if (isOrdinaryIdentity({ uid, resourceVersion })) {
    return { uid, resourceVersion, reason: "" };
  }
  const uidProblem = findIdentityProblem({ uid });
  const versionProblem = findIdentityProblem({ resourceVersion });
  return {
    uid: uidProblem === undefined ? uid : digestOf(uid),
    resourceVersion: versionProblem === undefined ? resourceVersion : digestOf(resourceVersion),
    reason: [uidProblem, versionProblem].filter((problem) => problem !== undefined).join("; "),
  };
}

/** Returns the rule of the contract that the item of a Put violates; undefined if there is none. */
export function findItemProblem(item: BatchItem): string | undefined {
  const { message } = item;
  const isOrdinary =
    message.case === "putObject" &&
    message.value.ref !== undefined &&
    isOrdinaryKey(message.value.ref) &&
    isOrdinaryIdentity(message.value);
  return isOrdinary ? undefined : findViolation(BatchItemSchema, item);
}

function isOrdinaryKey({ namespace, name }: ObjectKey): boolean {
  return ORDINARY_NAME.test(name) && ORDINARY_NAMESPACE.test(namespace);
}

function isOrdinaryIdentity({ uid, resourceVersion }: Omit<CarriedIdentity, "reason">): boolean {
  return ORDINARY_IDENTITY.test(uid) && ORDINARY_IDENTITY.test(resourceVersion);
}

/** Returns the text of a key for people: control characters and halves of surrogate pairs escaped, shortened. */
export function escapeKey(key: ObjectKey): string {
  return truncate(JSON.stringify(formatKey(key)).slice(1, -1), MAX_ESCAPED_BYTES);
}

/** Returns the reason why Postgres cannot hold a text; undefined if it can. */
export function findTextProblem(text: string): string | undefined {
  if (!text.isWellFormed()) {
    return "has a half of a surrogate pair";
  }
  return text.includes("\0") ? "has the character U+0000" : undefined;
}

function findIdentityProblem(
  identity: { readonly uid: string } | { readonly resourceVersion: string },
): string | undefined {
  const [[field, text]] = Object.entries(identity) as [[string, string]];
  const problem =
    findTextProblem(text) ??
    findViolation(VerifyObjectSchema, create(VerifyObjectSchema, { ref: { name: "x" }, ...identity }));
  return problem === undefined ? undefined : `metadata.${field}: ${problem}; its SHA-256 is sent instead`;
}

function digestOf(text: string): string {
  // JSON escapes halves of surrogate pairs, which UTF-8 replaces by one and the same character.
  return `sha256:${Buffer.from(checksumOf(Buffer.from(JSON.stringify(text)))).toString("hex")}`;
}
