import type { BusSettings } from "../../bus/settings.ts";
import { defineProgram, withDefault } from "../field.ts";
import { type AuthConfig, authFields, toAuthConfig } from "../fields/auth.ts";
import { busFields, toBusSettings } from "../fields/bus.ts";
import { sharedFields } from "../fields/shared.ts";
import { type TelemetryConfig, telemetryFields, toTelemetryConfig } from "../fields/telemetry.ts";
import { duration } from "../value-types.ts";

/** Configuration of `evenkeel server`: backend and ingester in one process. */
export interface ServerConfig {
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
  readonly telemetry: TelemetryConfig;
}

const { host, port, databaseUrl, allowDuplicateClusters } = sharedFields;

/** Keys of {@link ServerConfig}. */
export const serverProgram = defineProgram(
  {
    host,
    port,
    ...authFields,
    databaseUrl,
    allowDuplicateClusters,
    reconcileInterval: withDefault<number>(
      duration,
      "10m",
      "Time between the reconciliation runs of a cluster",
    ),
    runDeadline: withDefault<number>(duration, "5m", "Longest duration of a reconciliation run"),
    ...telemetryFields,
  },
  (values): ServerConfig => ({
    host: values.host,
    port: values.port,
    auth: toAuthConfig(values.host, values),
    databaseUrl: values.databaseUrl,
    allowDuplicateClusters: values.allowDuplicateClusters,
    reconcileIntervalMs: values.reconcileInterval,
    runDeadlineMs: values.runDeadline,
    telemetry: toTelemetryConfig(values),
  }),
);

/** Configuration of `evenkeel backend`: that of a server, and a bus. */
export interface BackendConfig extends ServerConfig {
  readonly bus: BusSettings;
}

/** Keys of {@link BackendConfig}. */
export const backendProgram = defineProgram(
  { ...serverProgram.fields, ...busFields },
  (values): BackendConfig => ({ ...serverProgram.toConfig(values), bus: toBusSettings(values) }),
);
