import { randomUUID } from "node:crypto";
import type { Random } from "./random.ts";

/** Creates the random source of the machine. */
export function createSystemRandom(): Random {
  return { float: () => Math.random(), uuid: () => randomUUID() };
}
