import { type AuthConfig, authFields, toAuthConfig } from "./auth-fields.ts";
import { type BusConfig, busFields, toBusConfig } from "./bus-fields.ts";
import { defineProgram } from "./program.ts";
import { sharedFields } from "./shared-fields.ts";
import { type TelemetryConfig, telemetryFields, toTelemetryConfig } from "./telemetry-fields.ts";

/** What `evenkeel backend` runs with. */
export interface BackendConfig {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly auth: AuthConfig;
  readonly databaseUrl: string;
  readonly bus: BusConfig;
  /** Time between the runs of a cluster. */
  readonly reconcileIntervalMs: number;
  /** A run that has not ended after this is EXPIRED. */
  readonly runDeadlineMs: number;
  readonly telemetry: TelemetryConfig;
}

const { host, port, databaseUrl, reconcileInterval, runDeadline } = sharedFields;

/** Keys of {@link BackendConfig}. */
export const backendProgram = defineProgram(
  {
    host,
    port,
    ...authFields,
    databaseUrl,
    ...busFields,
    reconcileInterval,
    runDeadline,
    ...telemetryFields,
  },
  (values): BackendConfig => ({
    host: values.host,
    port: values.port,
    auth: toAuthConfig(values.host, values),
    databaseUrl: values.databaseUrl,
    bus: toBusConfig(values),
    reconcileIntervalMs: values.reconcileInterval,
    runDeadlineMs: values.runDeadline,
    telemetry: toTelemetryConfig(values),
  }),
);
