import { readFileSync } from "node:fs";
import { type Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import type { ControlPlaneAddress } from "../../../deploy/local/components/control-plane-server.ts";
import type { KubeTransport } from "../../../src/kube/kube.ts";

/** A minimal client of a test's control plane, with full permissions unless a token is given. */
export interface KubeClient extends KubeTransport {
  /** Sends a request with a JSON body; throws the server's message at any status but 2xx. */
  send(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: object): Promise<unknown>;
}

/**
 * Creates a client. By default each request has a connection of its own, so that none outlives a test. With an agent the
 * caller must destroy it: a client that sends many requests saves most of its time with connections that are kept.
 */
export function createKubeClient(
  { serverUrl, caPath, token }: Pick<ControlPlaneAddress, "serverUrl" | "caPath" | "token">,
  agent: Agent | false = false,
): KubeClient {
  const ca = readFileSync(caPath);
  const open = (
    signal: AbortSignal | undefined,
    method: string,
    path: string,
    headers: object,
    body?: string,
  ) =>
    new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
      const options = {
        method,
        ca,
        agent,
        headers: { authorization: `Bearer ${token}`, ...headers },
        ...(signal === undefined ? {} : { signal }),
      };
      request(`${serverUrl}${path}`, options, resolve).once("error", reject).end(body);
    });
  return {
    async get(signal, { path, query, accept = "application/json" }) {
      const response = await open(signal, "GET", `${path}?${new URLSearchParams(query)}`, { accept });
      const retryAfter = response.headers["retry-after"];
      return {
        status: response.statusCode ?? 0,
        retryAfterMs: retryAfter === undefined ? undefined : Number(retryAfter) * 1000,
        body: response,
      };
    },
    async send(method, path, body) {
      const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
      const headers = { "content-type": type, accept: "application/json" };
      const response = await open(undefined, method, path, headers, body && JSON.stringify(body));
      const answer = await text(response);
      if (response.statusCode === undefined || response.statusCode >= 300) {
        throw new Error(`${method} ${path} was answered with ${response.statusCode}: ${answer}`);
      }
      return JSON.parse(answer);
    },
  };
}
