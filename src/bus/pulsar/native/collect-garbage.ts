import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "../../../lib/clock.ts";

/** How often, and the time between, in milliseconds. */
const ROUNDS = 5;
const INTERVAL_MS = 5;

/** Collects garbage, some times: what an object of an addon holds becomes garbage a moment after that object has gone. */
export async function collectGarbage(clock: Clock): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const { signal } = new AbortController();
  for (let round = 0; round < ROUNDS; round++) {
    await clock.sleep(signal, INTERVAL_MS);
    collect();
  }
}
