import { once } from "node:events";
import type { Server } from "node:net";
import { ConfigError } from "../../lib/errors.ts";

/**
 * Lets the server listen, and returns its port: `port`, or a free one when that is 0.
 *
 * @throws ConfigError that names host and port and what to do, when they cannot be listened on.
 */
export async function listen(
  signal: AbortSignal,
  server: Server,
  host: string,
  port: number,
): Promise<number> {
  server.listen(port, host);
  try {
    await once(server, "listening", { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new ConfigError(`cannot listen on ${toAuthority(host, port)}: ${toReason(error, port)}`, {
      cause: error,
    });
  }
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

/** Host and port as a URL has them: an IPv6 address in brackets. */
export function toAuthority(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function toReason(error: unknown, port: number): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "EADDRINUSE":
      return "another program listens there: stop it, or choose another port (--port, EVENKEEL_PORT)";
    case "EACCES":
      return `this user may not open port ${port}: choose one above 1023 (--port, EVENKEEL_PORT)`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return "this machine has no such address: choose another host (--host, EVENKEEL_HOST)";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
