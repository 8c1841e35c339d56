/** The environment of this process. The one place that reads it. */
export function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/**
 * Whether Kubernetes put the variable there: a Pod sees every Service of its namespace as variables, and those of a
 * Service named `evenkeel` or `evenkeel-...` look like ours, `EVENKEEL_PORT=tcp://10.0.0.1:7070` above all.
 */
export function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(HOST|PORT)(_|$)/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
    (/_PORT$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value))
  );
}
