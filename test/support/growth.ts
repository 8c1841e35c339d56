/** Inputs start at this many characters: twice as many take a quadratic scan 0.1 s or more, a linear one 1 ms. */
const LENGTH = 10_000;
/**
 * Only a linear scan of the doubled input is this fast, in milliseconds. Ratios of such short times mean
 * nothing.
 */
const NEGLIGIBLE_MS = 25;
/**
 * Number of measurements, of which the smallest counts: garbage collection and other programs only increase
 * them.
 */
const ATTEMPTS = 3;

/**
 * Returns how many times longer `scan` takes when the input that `make` returns doubles: 2 for a linear scan, 4 for a
 * quadratic one. Returns 0 for a scan that takes no time worth measuring.
 */
export function measureGrowth(make: (length: number) => string, scan: (input: string) => unknown): number {
  const [single, doubled] = [make(LENGTH), make(2 * LENGTH)];
  let growth = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const ms = measureMs(doubled, scan);
    if (ms < NEGLIGIBLE_MS) {
      return 0;
    }
    growth = Math.min(growth, ms / measureMs(single, scan));
  }
  return growth;
}

/** Returns the processor time of this thread, which other programs affect less than wall-clock time. */
function measureMs(input: string, scan: (input: string) => unknown): number {
  const started = process.threadCpuUsage();
  scan(input);
  const { user, system } = process.threadCpuUsage(started);
  return (user + system) / 1000;
}
