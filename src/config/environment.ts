/** Returns the environment of this process. No other code reads it. */
export function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/**
 * True if Kubernetes set the variable. A Pod sees every Service of its namespace as variables, and those of a Service
 * named `evenkeel` or `evenkeel-...` have our prefix, for example `EVENKEEL_PORT=tcp://10.0.0.1:7070`.
 */
export function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(HOST|PORT)(_|$)/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
    (/_PORT$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value))
  );
}
