import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Growth of all Buffers, unreachable ones included, that starts a garbage collection. */
const MAX_GROWTH_BYTES = 16 * 1024 * 1024;

/** Time between two checks, in milliseconds. */
const CHECK_MS = 50;

/**
 * Limits the memory of this process while the objects of a large cluster pass through it, until it is
 * disposed.
 *
 * By default V8 lets the young generation grow to 128 MB, and collects old Buffers only after they have grown
 * by 64 MB. Both stay resident, because neither V8 nor malloc returns memory that it may need again.
 * Therefore this fixes the size of the young generation and collects garbage early. A collection takes about
 * 40 ms, because few objects are alive.
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
 * Returns the bytes of all Buffers. `process.memoryUsage()` returns the same figure, but it opens a file for
 * its other figures. It throws while no descriptor is free, and an error in a timer ends the process.
 */
function readExternalBytes(): number {
  return getHeapStatistics().external_memory;
}
