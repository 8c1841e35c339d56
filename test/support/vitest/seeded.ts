import { createSeededRandom, type Random } from "../../../src/lib/random.ts";

/** Variable that replays a test's randomness. */
const seedVariable = "EVENKEEL_TEST_SEED";

/**
 * Runs a test body with randomness from a seed: that of `EVENKEEL_TEST_SEED`, otherwise a new one. A failure
 * prints the seed and the command that replays it.
 */
export async function withSeed(
  testName: string,
  body: (random: Random, seed: number) => unknown,
): Promise<void> {
  const seed = Number(process.env[seedVariable] ?? Math.floor(Math.random() * 2 ** 32));
  try {
    await body(createSeededRandom(seed), seed);
  } catch (cause) {
    const replay = `${seedVariable}=${seed} npx vitest run -t ${JSON.stringify(testName)}`;
    throw new Error(
      `failed with seed ${seed}: ${cause instanceof Error ? cause.message : cause}\n  replay: ${replay}`,
      {
        cause,
      },
    );
  }
}
