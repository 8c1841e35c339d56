import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How much more Buffers may take, dead ones included, before garbage is collected. */
const MAX_GROWTH_BYTES = 16 * 1024 * 1024;

/** Time between two checks. */
const CHECK_MS = 50;

/**
 * Keeps this process small while a large cluster streams through it, until it is disposed.
 *
 * Left alone V8 lets the young generation grow to 128 MB, and collects old Buffers only when they have become 64 MB
 * more; both stay resident, since neither V8 nor malloc gives back what it may need again. So the young generation stays
 * as it is, and garbage is collected early. A collection takes some 40 ms, because little is alive.
 */
export function tuneGarbageCollection(): Disposable {
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  let least = readExternalBytes();
  const timer = setInterval(() => {
    const external = readExternalBytes();
    least = Math.min(least, external);
    if (external > least + MAX_GROWTH_BYTES) {
      collect();
      least = readExternalBytes();
    }
  }, CHECK_MS).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/**
 * Returns the bytes of all Buffers. `process.memoryUsage()` has the same figure, but it opens a file for
 * others: it throws while no descriptor is free, and an error in a timer ends the process.
 */
function readExternalBytes(): number {
  return getHeapStatistics().external_memory;
}
