import { type LogLevel, logLevels } from "../../lib/log.ts";
import { optional, required, withDefault } from "../field.ts";
import { duration, httpUrl, oneOf, port, postgresUrl, text } from "../value-types.ts";

/** Keys that several programs have, with the same meaning in each. */
export const sharedFields = {
  logLevel: withDefault<LogLevel>(oneOf(logLevels), "info", "Least level of the lines that are logged"),
  host: withDefault<string>(text("address", "an address"), "127.0.0.1", "Address to listen on"),
  port: withDefault<number>(port, 7070, "Port to listen on; 0 takes a free one"),
  databaseUrl: required<string>(postgresUrl, "The Postgres database", { secret: true }),
  reconcileInterval: withDefault<number>(
    duration,
    "10m",
    "Time between the reconciliation runs of a cluster",
  ),
  runDeadline: withDefault<number>(duration, "5m", "How long a reconciliation run may take"),
  server: withDefault<string>(httpUrl, "http://127.0.0.1:7070", "The server"),
  kubeconfig: optional<string>(
    text("path", "a path"),
    "The kubeconfig; unset: KUBECONFIG, ~/.kube/config, the Pod's own",
  ),
  context: optional<string>(text("name", "a name"), "Context of the kubeconfig; unset: its current one"),
};
