import * as z from "zod/mini";
import { DEFAULT_SCRUB_ROWS } from "../../domain/limits.ts";
import { LOG_LEVELS, type LogLevel } from "../../lib/log.ts";
import { optional, required, withDefault } from "../field.ts";
import { httpUrl, oneOf, port, postgresUrl, text, toggle, type ValueType } from "../value-types.ts";

/** Keys with the same meaning in several programs. */
export const sharedFields = {
  logLevel: withDefault<LogLevel>(
    oneOf(LOG_LEVELS),
    "info",
    "Minimum log level: debug, info, warn, error or silent",
  ),
  host: withDefault<string>(text("address", "an address"), "127.0.0.1", "Address to listen on"),
  port: withDefault<number>(port, 7070, "Port to listen on; 0: any free port"),
  databaseUrl: required<string>(postgresUrl, "URL of the Postgres database", { secret: true }),
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
