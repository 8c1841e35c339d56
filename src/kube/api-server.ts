import type { KubeTransport } from "./kube.ts";
import { KubeRefusedError, KubeUnavailableError } from "./kube-error.ts";
import { isRecord } from "./kube-object.ts";
import { getJson, getText } from "./read-response.ts";

/** Returns the version of the API server, such as "v1.34.4"; empty if the response has none. */
export async function getServerVersion(signal: AbortSignal, transport: KubeTransport): Promise<string> {
  const response = await getJson(signal, transport, { path: "/version" });
  const version = isRecord(response) ? response["gitVersion"] : undefined;
  return typeof version === "string" ? version : "";
}

/** Statuses of a server that is up but does not show its readiness to this client. */
const NO_STATEMENT: ReadonlySet<number> = new Set([401, 403, 404]);

/**
 * Returns true unless the API server reports that it is not ready (`GET /readyz`), or does not answer. A server that
 * starts already answers discovery, with a part of its groups. Readiness that this client may not read is no evidence
 * against the server.
 */
export async function isReady(signal: AbortSignal, transport: KubeTransport): Promise<boolean> {
  try {
    await getText(signal, transport, { path: "/readyz" });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const isAnswer = error instanceof KubeRefusedError || error instanceof KubeUnavailableError;
    return isAnswer && NO_STATEMENT.has(error.status);
  }
}
