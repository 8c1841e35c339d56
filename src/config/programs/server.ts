import * as z from "zod/mini";
import type { BusSettings } from "../../bus/settings.ts";
import type { DeletionGuard } from "../../domain/reconciliation/deletion-guard.ts";
import { defineProgram, optional, withDefault } from "../field.ts";
import { type AuthConfig, authFields, toAuthConfig } from "../fields/auth.ts";
import { busFields, toBusSettings } from "../fields/bus.ts";
import { databaseFields, toDatabaseUrl } from "../fields/database.ts";
import { guardFields, scrubRows, sharedFields, toDeletionGuard } from "../fields/shared.ts";
import { type TelemetryConfig, telemetryFields, toTelemetryConfig } from "../fields/telemetry.ts";
import { byteSize, duration, type ValueType } from "../value-types.ts";

/** Smallest limit of a process, in bytes. */
export const MIN_MEMORY_LIMIT = 384 * 1024 * 1024;

const memorySize: ValueType<number> = {
  ...byteSize,
  schema: z.pipe(byteSize.schema, z.int().check(z.minimum(MIN_MEMORY_LIMIT))),
  expected: 'a size of at least "384MiB", such as "1GiB"',
};

/** Configuration that `evenkeel server` and `evenkeel backend` share. */
interface CommonConfig {
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  readonly auth: AuthConfig;
  readonly databaseUrl: string;
  /** True if an account may have one cluster under several names. */
  readonly allowDuplicateClusters: boolean;
  /** Time between the runs of a cluster. */
  readonly reconcileIntervalMs: number;
  /** A run that takes longer is EXPIRED. */
  readonly runDeadlineMs: number;
  /** Memory that the process may take, in bytes; unset: that of its container. */
  readonly memoryLimit: number | undefined;
  readonly telemetry: TelemetryConfig;
}

const { host, port, allowDuplicateClusters } = sharedFields;

const commonProgram = defineProgram(
  {
    host,
    port,
    ...authFields,
    ...databaseFields,
    allowDuplicateClusters,
    reconcileInterval: withDefault<number>(
      duration,
      "10m",
      "Time between the reconciliation runs of a cluster",
    ),
    runDeadline: withDefault<number>(duration, "5m", "Longest duration of a reconciliation run"),
    memoryLimit: optional<number>(
      memorySize,
      "Memory that the process may take; unset: the container's limit, or half of the machine's memory",
    ),
    ...telemetryFields,
  },
  (values): CommonConfig => ({
    host: values.host,
    port: values.port,
    auth: toAuthConfig(values.host, values),
    databaseUrl: toDatabaseUrl(values),
    allowDuplicateClusters: values.allowDuplicateClusters,
    reconcileIntervalMs: values.reconcileInterval,
    runDeadlineMs: values.runDeadline,
    memoryLimit: values.memoryLimit,
    telemetry: toTelemetryConfig(values),
  }),
);

/** Configuration of `evenkeel server`: backend and ingester in one process. */
export interface ServerConfig extends CommonConfig {
  /** Rows of each resource type whose checksums each run recomputes. */
  readonly scrubRows: number;
  readonly guard: DeletionGuard;
}

/** Keys of {@link ServerConfig}. */
export const serverProgram = defineProgram(
  { ...commonProgram.fields, scrubRows, ...guardFields },
  (values): ServerConfig => ({
    ...commonProgram.toConfig(values),
    scrubRows: values.scrubRows,
    guard: toDeletionGuard(values),
  }),
);

/** Configuration of `evenkeel backend`. */
export interface BackendConfig extends CommonConfig {
  readonly bus: BusSettings;
}

/** Keys of {@link BackendConfig}. */
export const backendProgram = defineProgram(
  { ...commonProgram.fields, ...busFields },
  (values): BackendConfig => ({ ...commonProgram.toConfig(values), bus: toBusSettings(values) }),
);
