import * as z from "zod/mini";
import { DEFAULT_SCRUB_ROWS } from "../../domain/limits.ts";
import { DEFAULT_DELETION_GUARD, type DeletionGuard } from "../../domain/reconciliation/deletion-guard.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "../../lib/log.ts";
import { optional, withDefault } from "../field.ts";
import { duration, httpUrl, oneOf, port, text, toggle, type ValueType } from "../value-types.ts";

/** Keys with the same meaning in several programs. */
export const sharedFields = {
  logLevel: withDefault<LogLevel>(
    oneOf(LOG_LEVELS),
    "info",
    "Minimum log level: debug, info, warn, error or silent",
  ),
  logFormat: withDefault<LogFormat>(
    oneOf(LOG_FORMATS),
    "auto",
    "Form of log lines: json, text, or auto, which is text on a terminal",
  ),
  host: withDefault<string>(text("address", "an address"), "127.0.0.1", "Address to listen on"),
  port: withDefault<number>(port, 7070, "Port to listen on; 0: any free port"),
  allowDuplicateClusters: withDefault<boolean>(
    toggle,
    false,
    "Accept one cluster under several names of an account",
  ),
  server: withDefault<string>(httpUrl, "http://127.0.0.1:7070", "URL of the server"),
  kubeconfig: optional<string>(
    text("path", "a path"),
    "Path of the kubeconfig; unset: KUBECONFIG, ~/.kube/config, or the Pod's service account",
  ),
  kubeContext: optional<string>(
    text("name", "a name"),
    "Context of the kubeconfig; unset: its current context",
  ),
};

const rowCount: ValueType<number> = {
  schema: z.int().check(z.minimum(0), z.maximum(1_000_000)),
  expected: "a whole number from 0 to 1000000",
  fromText: (value) => (/^\d{1,7}$/.test(value) ? Number(value) : value),
  placeholder: "count",
};

/** Rows of each resource type whose checksums each run recomputes. */
export const scrubRows = withDefault<number>(
  rowCount,
  DEFAULT_SCRUB_ROWS,
  "Rows of each resource type whose checksums each run recomputes; 0: none",
);

const percentage: ValueType<number> = {
  schema: z.int().check(z.minimum(0), z.maximum(100)),
  expected: "a whole number from 0 to 100",
  fromText: (value) => (/^\d{1,3}$/.test(value) ? Number(value) : value),
  placeholder: "percent",
};

/** Keys of the guard against mass deletion. */
export const guardFields = {
  maxDeletions: withDefault<number>(
    { ...rowCount, schema: z.int().check(z.minimum(0), z.maximum(1_000_000_000)) },
    DEFAULT_DELETION_GUARD.maxDeletions,
    "Deletions of a resource type in one run, or of a cluster by a narrower scope, that are never withheld",
  ),
  maxDeletionShare: withDefault<number>(
    percentage,
    Math.round(100 * DEFAULT_DELETION_GUARD.maxShare),
    "Share of the rows, in percent, that may be deleted above --max-deletions; 100: withhold nothing",
  ),
  deletionAgreement: withDefault<number>(
    duration,
    "10m",
    "Time after which a second run that claims withheld deletions again applies them",
  ),
};

/** Returns the guard that these keys configure. */
export function toDeletionGuard(values: {
  readonly maxDeletions: number;
  readonly maxDeletionShare: number;
  readonly deletionAgreement: number;
}): DeletionGuard {
  return {
    maxDeletions: values.maxDeletions,
    maxShare: values.maxDeletionShare / 100,
    agreementMs: values.deletionAgreement,
  };
}
