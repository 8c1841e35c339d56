import { get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { inject } from "vitest";
import type { Provisions } from "./provisioner.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly provisions: Provisions;
  }
}

/** What this run has for its test files. */
export function provisions(): Provisions {
  return inject("provisions");
}

/**
 * Asks the run for a server, which may have to be started, or even built, first. Not by `fetch`, which gives up
 * after five minutes.
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
