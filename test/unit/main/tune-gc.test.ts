import { afterEach, expect, it, vi } from "vitest";
import { tuneGarbageCollection } from "../../../src/main/agent.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("the garbage collection needs no file descriptor, because an error in its timer would end the process (I10)", () => {
  vi.useFakeTimers();
  vi.spyOn(process, "memoryUsage").mockImplementation(() => {
    throw Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
  });
  using _ = tuneGarbageCollection();
  expect(vi.getTimerCount()).toBe(1);
  expect(() => vi.advanceTimersByTime(1_000)).not.toThrow();
});
