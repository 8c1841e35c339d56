import type { BusSettings } from "../../bus/settings.ts";
import { defineProgram } from "../field.ts";
import { type AuthConfig, authFields, toAuthConfig } from "../fields/auth.ts";
import { busFields, toBusSettings } from "../fields/bus.ts";
import { sharedFields } from "../fields/shared.ts";
import { type TelemetryConfig, telemetryFields, toTelemetryConfig } from "../fields/telemetry.ts";

/** What `evenkeel server` runs with: backend and ingester in one process. */
export interface ServerConfig {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly auth: AuthConfig;
  readonly databaseUrl: string;
  /** Time between the runs of a cluster. */
  readonly reconcileIntervalMs: number;
  /** A run that has not ended after this is EXPIRED. */
  readonly runDeadlineMs: number;
  readonly telemetry: TelemetryConfig;
}

const { host, port, databaseUrl, reconcileInterval, runDeadline } = sharedFields;

/** Keys of {@link ServerConfig}. */
export const serverProgram = defineProgram(
  {
    host,
    port,
    ...authFields,
    databaseUrl,
    reconcileInterval,
    runDeadline,
    ...telemetryFields,
  },
  (values): ServerConfig => ({
    host: values.host,
    port: values.port,
    auth: toAuthConfig(values.host, values),
    databaseUrl: values.databaseUrl,
    reconcileIntervalMs: values.reconcileInterval,
    runDeadlineMs: values.runDeadline,
    telemetry: toTelemetryConfig(values),
  }),
);

/** What `evenkeel backend` runs with: as a server, but over a bus that others share. */
export interface BackendConfig extends ServerConfig {
  readonly bus: BusSettings;
}

/** Keys of {@link BackendConfig}. */
export const backendProgram = defineProgram(
  { ...serverProgram.fields, ...busFields },
  (values): BackendConfig => ({ ...serverProgram.toConfig(values), bus: toBusSettings(values) }),
);
