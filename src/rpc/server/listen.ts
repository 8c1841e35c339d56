import { once } from "node:events";
import type { Server } from "node:net";
import { ConfigError } from "../../lib/errors.ts";

/**
 * Starts to listen and returns the port: `port`, or a free one if that is 0.
 *
 * @throws ConfigError that names host, port and remedy, if the server cannot listen
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

/** Formats host and port for a URL, with an IPv6 address in brackets. */
export function toAuthority(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function toReason(error: unknown, port: number): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "EADDRINUSE":
      return "the port is in use; stop the other program or choose another port (--port, EVENKEEL_PORT)";
    case "EACCES":
      return `this user cannot open port ${port}; choose one above 1023 (--port, EVENKEEL_PORT)`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return "this machine does not have the address; choose another host (--host, EVENKEEL_HOST)";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
