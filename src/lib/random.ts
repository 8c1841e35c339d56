import { randomUUID } from "node:crypto";

/** The randomness of the programs: for identities and jitter, never for secrets. */
export interface Random {
  /** Returns a number in [0, 1). */
  float(): number;
  /** Returns a UUID, version 4 (RFC 9562). */
  uuid(): string;
}

/**
 * Creates a repeatable source: an equal seed results in an equal sequence. The generator is splitmix32; it
 * passes PractRand far beyond the needs of jitter and identities in a simulation.
 */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  return {
    float: () => next() / 0x1_0000_0000,
    uuid() {
      const hex = Array.from({ length: 4 }, () => next().toString(16).padStart(8, "0")).join("");
      const variant = "89ab"[Number.parseInt(hex.charAt(16), 16) & 3];
      const third = `4${hex.slice(13, 16)}`;
      const fourth = `${variant}${hex.slice(17, 20)}`;
      return [hex.slice(0, 8), hex.slice(8, 12), third, fourth, hex.slice(20)].join("-");
    },
  };
}

/** Creates the random source of the machine. */
export function createSystemRandom(): Random {
  return { float: () => Math.random(), uuid: () => randomUUID() };
}
