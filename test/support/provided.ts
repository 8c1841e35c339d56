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

/** Asks the run for a server, which may have to be started first. */
export async function provision<T>(path: "/postgres" | "/control-plane"): Promise<T> {
  const response = await fetch(`${provisions().url}${path}`);
  const body = await response.text();
  if (!response.ok) {
    throw new Error(body);
  }
  return JSON.parse(body) as T;
}
