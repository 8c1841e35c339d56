import type { KubeTransport } from "./kube.ts";
import { isRecord } from "./kube-object.ts";
import { getJson } from "./read-response.ts";

/** Returns the version of the API server, such as "v1.34.4"; empty if the response has none. */
export async function getServerVersion(signal: AbortSignal, transport: KubeTransport): Promise<string> {
  const response = await getJson(signal, transport, { path: "/version" });
  const version = isRecord(response) ? response["gitVersion"] : undefined;
  return typeof version === "string" ? version : "";
}
