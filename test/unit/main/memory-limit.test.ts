import { describe, expect, it } from "vitest";
import { MIN_MEMORY_LIMIT } from "../../../src/config/programs/server.ts";
import { createAgentMemory, readMemoryFacts, toMemoryLimit } from "../../../src/main/memory-limit.ts";

const GIBIBYTE = 1024 ** 3;
const machine = 16 * GIBIBYTE;
const heap = 4 * GIBIBYTE;

describe("the memory of a process", () => {
  it.each([
    ["the container's limit", { container: GIBIBYTE, machine, heap }, GIBIBYTE],
    [
      "half of the machine without a container",
      { container: 2 ** 64, machine: 6 * GIBIBYTE, heap },
      3 * GIBIBYTE,
    ],
    [
      "half of the machine where the system names no limit",
      { container: 0, machine: 6 * GIBIBYTE, heap },
      3 * GIBIBYTE,
    ],
    ["V8's heap on a large machine", { container: 2 ** 64, machine, heap }, heap],
    ["V8's heap, where a flag limits it", { container: 2 * GIBIBYTE, machine, heap: GIBIBYTE }, GIBIBYTE],
    ["the smallest limit in a small container", { container: GIBIBYTE / 8, machine, heap }, MIN_MEMORY_LIMIT],
  ])("is %s", (_, facts, expected) => {
    expect(toMemoryLimit(facts)).toBe(expected);
  });

  it("is known of this process", () => {
    const { container, ...facts } = readMemoryFacts();
    expect(container).toBeGreaterThanOrEqual(0);
    expect(Object.values(facts).every((bytes) => bytes > 100 * 1024 ** 2)).toBe(true);
  });

  it("leaves for agents half of what the process does not need itself", () => {
    const limitsOf = (bytes: number): number[] => {
      const { agents, messages } = createAgentMemory(bytes);
      return [agents, messages].map(({ limit }) => limit / 1024 ** 2);
    };
    expect(limitsOf(GIBIBYTE)).toEqual([336, 48]);
    expect(limitsOf(1)).toEqual([56, 8]);
  });
});
