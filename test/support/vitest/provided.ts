import { get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { inject } from "vitest";
import type { Provisions } from "./provisioner.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly provisions: Provisions;
  }
}

/** Values that a run provides to its test files. */
export function provisions(): Provisions {
  return inject("provisions");
}

/**
 * Requests a server from the run, which may start or even build it first. It does not use `fetch`, whose
 * timeout is five minutes.
 */
export async function provision<T>(path: "/postgres" | "/control-plane" | "/broker"): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get(`${provisions().url}${path}`, { agent: false }, resolve).once("error", reject);
  const response = await promise;
  const body = await text(response);
  if (response.statusCode !== 200) {
    throw new Error(body);
  }
  return JSON.parse(body) as T;
}
