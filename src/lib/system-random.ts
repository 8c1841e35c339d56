import { randomUUID } from "node:crypto";
import type { Random } from "./random.ts";

/** The machine's randomness. */
export function createSystemRandom(): Random {
  return { float: () => Math.random(), uuid: () => randomUUID() };
}
