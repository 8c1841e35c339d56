/** Connections of a port at a time, where the descriptor limit permits them. Each takes about 80 KB. */
const MAX_CONNECTIONS = 10_000;
/** Descriptors for the rest of the process: the probes, Postgres, the bus, files. */
const RESERVED_DESCRIPTORS = 200;

/** Returns the most connections of a port, so that connections never take the descriptors that probes need. */
export function readConnectionLimit(): number {
  return toConnectionLimit(process.report.getReport());
}

/** Returns the most connections for the descriptor limit in a report of Node. Windows has no such limit. */
export function toConnectionLimit(report: object): number {
  const { userLimits } = report as {
    readonly userLimits?: { readonly open_files?: { readonly soft?: unknown } };
  };
  const descriptors = userLimits?.open_files?.soft;
  // The report has the text "unlimited" instead of a number.
  return typeof descriptors === "number"
    ? Math.min(MAX_CONNECTIONS, Math.max(1, descriptors - RESERVED_DESCRIPTORS))
    : MAX_CONNECTIONS;
}
