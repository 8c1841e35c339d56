import type { LogLevel } from "../lib/log-level.ts";
import { type AuthConfig, authFields, toAuthConfig } from "./auth-fields.ts";
import { withDefault } from "./field.ts";
import { defineProgram } from "./program.ts";
import { duration } from "./quantity.ts";
import { sharedFields } from "./shared-fields.ts";

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
  readonly logLevel: LogLevel;
}

const { host, port, databaseUrl, runDeadline, logLevel } = sharedFields;

/** Keys of {@link ServerConfig}. */
export const serverProgram = defineProgram(
  {
    host,
    port,
    ...authFields,
    databaseUrl,
    reconcileInterval: withDefault<number>(
      duration,
      "10m",
      "Time between the reconciliation runs of a cluster",
    ),
    runDeadline,
    logLevel,
  },
  ({
    authPublicKeys,
    authAudience,
    insecureNoAuth,
    reconcileInterval,
    runDeadline,
    ...values
  }): ServerConfig => ({
    ...values,
    auth: toAuthConfig(values.host, { authPublicKeys, authAudience, insecureNoAuth }),
    reconcileIntervalMs: reconcileInterval,
    runDeadlineMs: runDeadline,
  }),
);
