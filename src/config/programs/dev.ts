import type { LogLevel } from "../../lib/log.ts";
import { defineProgram, optional, withDefault } from "../field.ts";
import { sharedFields } from "../fields/shared.ts";
import { duration, loopbackHost, postgresUrl, text, toggle } from "../value-types.ts";
import { clusterName } from "./agent.ts";

/** What `evenkeel dev` runs with: everything in one process. */
export interface DevConfig {
  /** A loopback address. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** A Postgres database; unset runs an embedded one. */
  readonly databaseUrl: string | undefined;
  /** Keeps the embedded database; unset, it ends with the process. */
  readonly dataDir: string | undefined;
  /** Reads this kubeconfig's cluster; unset, together with `context`, simulates one. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Name of the cluster, unique in the database. */
  readonly cluster: string;
  /** Objects of the simulated cluster change by themselves. */
  readonly churn: boolean;
  /** Rows are made wrong on purpose, so that runs have something to repair. */
  readonly drift: boolean;
  /** Average time between two of them. */
  readonly driftIntervalMs: number;
  readonly reconcileIntervalMs: number;
  readonly runDeadlineMs: number;
  readonly logLevel: LogLevel;
}

const { host, port, reconcileInterval, runDeadline, logLevel, context, kubeconfig } = sharedFields;

/** Keys of {@link DevConfig}. */
export const devProgram = defineProgram(
  {
    host: { ...host, type: loopbackHost },
    port,
    databaseUrl: optional<string>(postgresUrl, "A Postgres database; unset: an embedded one", {
      secret: true,
    }),
    dataDir: optional<string>(
      text("path", "a path"),
      "Folder that keeps the embedded database; unset: it ends with the process",
    ),
    kubeconfig: { ...kubeconfig, description: "Read this kubeconfig's cluster; unset: simulate one" },
    context,
    cluster: withDefault<string>(clusterName, "dev", "Name of the cluster, unique in the database"),
    churn: withDefault<boolean>(toggle, true, "Let the simulated cluster's objects change"),
    drift: withDefault<boolean>(toggle, true, "Make rows wrong now and then, to see them repaired"),
    driftInterval: withDefault<number>(duration, "5s", "Average time between rows made wrong"),
    reconcileInterval: { ...reconcileInterval, fallback: "10s" },
    runDeadline,
    // The story is what people look at; what is worth their while besides it is a warning.
    logLevel: { ...logLevel, fallback: "warn" },
  },
  ({ driftInterval, reconcileInterval, runDeadline, ...values }): DevConfig => ({
    ...values,
    driftIntervalMs: driftInterval,
    reconcileIntervalMs: reconcileInterval,
    runDeadlineMs: runDeadline,
  }),
);
