import { type AuthConfig, authFields, toAuthConfig } from "../fields/auth.ts";
import { sharedFields } from "../fields/shared.ts";
import { type TelemetryConfig, telemetryFields, toTelemetryConfig } from "../fields/telemetry.ts";
import { defineProgram } from "../program.ts";

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
