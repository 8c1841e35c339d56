import { isLoopback } from "./loopback-host.ts";

/** Whether others could read on the way what is sent to this URL: it leads to another machine, and without TLS. */
export function isExposed(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && !isLoopback(hostname.replace(/^\[(.*)\]$/, "$1"));
}
