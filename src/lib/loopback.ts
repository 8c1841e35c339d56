import { isIPv4 } from "node:net";

/** True if only this machine reaches the address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

const REASON = "because this port does not authenticate callers";

/** The headers of a request that name the server and the page that sends it. */
export interface OriginHeaders {
  /** `Host` of HTTP/1.1, or `:authority` of HTTP/2. */
  readonly host: string | undefined;
  /** `Origin`; unset unless a page in a browser sends the request. */
  readonly origin: string | undefined;
}

/**
 * Returns why a request to a loopback port without authentication may come from a page of another site; undefined if it
 * does not. With a name that resolves to 127.0.0.1 (DNS rebinding), such a page can read the answers. Host and Origin
 * show that name.
 */
export function findForeignOrigin({ host, origin }: OriginHeaders): string | undefined {
  if (host === undefined || !isLocalUrl(`http://${host}`)) {
    return `Host: expected localhost or a loopback address, ${REASON}`;
  }
  if (origin !== undefined && !isLocalUrl(origin)) {
    return `Origin: expected a page of localhost or of a loopback address, ${REASON}`;
  }
  return undefined;
}

export function isLocalUrl(text: string): boolean {
  const { hostname } = URL.parse(text) ?? { hostname: "" };
  return isLoopback(hostname.replace(/^\[(.*)\]$/, "$1"));
}
