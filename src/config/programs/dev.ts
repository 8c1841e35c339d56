import type { LogFormat, LogLevel } from "../../lib/log.ts";
import { defineProgram, optional, withDefault } from "../field.ts";
import { databaseFields, findDatabaseUrl } from "../fields/database.ts";
import { sharedFields } from "../fields/shared.ts";
import { duration, loopbackHost, text, toggle } from "../value-types.ts";
import { clusterName } from "./agent.ts";
import { serverProgram } from "./server.ts";

/** Configuration of `evenkeel dev`: all programs in one process. */
export interface DevConfig {
  /** A loopback address. */
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  /** A Postgres database; unset runs an embedded one. */
  readonly databaseUrl: string | undefined;
  /** Keeps the embedded database; unset, the database is deleted at the end. */
  readonly dataDir: string | undefined;
  /** Reads this kubeconfig's cluster; unset, together with `kubeContext`, simulates one. */
  readonly kubeconfig: string | undefined;
  readonly kubeContext: string | undefined;
  /** Name of the cluster, unique in the database. */
  readonly cluster: string;
  /** Changes objects of the simulated cluster continuously. */
  readonly churn: boolean;
  /** Corrupts rows periodically, so that runs repair them. */
  readonly drift: boolean;
  /** Average time between two corruptions. */
  readonly driftIntervalMs: number;
  readonly reconcileIntervalMs: number;
  readonly runDeadlineMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

const { host, port, logLevel, logFormat, kubeContext, kubeconfig } = sharedFields;
const { reconcileInterval, runDeadline } = serverProgram.fields;

/** Keys of {@link DevConfig}. */
export const devProgram = defineProgram(
  {
    host: { ...host, type: loopbackHost },
    port,
    databaseUrl: {
      ...databaseFields.databaseUrl,
      description: "URL of a Postgres database; unset: an embedded one",
    },
    databaseUrlFile: databaseFields.databaseUrlFile,
    dataDir: optional<string>(
      text("path", "a path"),
      "Folder that keeps the embedded database; unset: deleted at the end",
    ),
    kubeconfig: {
      ...kubeconfig,
      description: "Path of the kubeconfig of a real cluster; unset: a simulated cluster",
    },
    kubeContext,
    cluster: withDefault<string>(clusterName, "dev", "Name of the cluster, unique in the database"),
    churn: withDefault<boolean>(toggle, true, "Change objects of the simulated cluster continuously"),
    drift: withDefault<boolean>(toggle, true, "Corrupt rows periodically, so that runs repair them"),
    driftInterval: withDefault<number>(duration, "5s", "Average time between two corruptions"),
    reconcileInterval: { ...reconcileInterval, fallback: "10s" },
    runDeadline,
    // Standard output reports the runs already.
    logLevel: { ...logLevel, fallback: "warn" },
    logFormat,
  },
  ({
    databaseUrl,
    databaseUrlFile,
    driftInterval,
    reconcileInterval,
    runDeadline,
    ...values
  }): DevConfig => ({
    ...values,
    databaseUrl: findDatabaseUrl({ databaseUrl, databaseUrlFile }),
    driftIntervalMs: driftInterval,
    reconcileIntervalMs: reconcileInterval,
    runDeadlineMs: runDeadline,
  }),
);
