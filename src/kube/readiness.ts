import type { KubeTransport } from "./kube.ts";
import { KubeRefusedError, KubeUnavailableError } from "./kube-error.ts";
import { getText } from "./read-response.ts";

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
