import { expect } from "vitest";
import { eventually } from "../e2e/eventually.ts";
import type { FailpointName } from "./failpoints.ts";
import type { Member } from "./fleet.ts";
import type { Scenario } from "./scenario.ts";

/** Highest number of the passing that kills a program. */
const MAX_PASSING = 4;

/** Restarts a program once for each failpoint, and once without one. Each failpoint must kill it. */
export async function killAtEach(
  { random, pause }: Scenario,
  member: Member | undefined,
  points: readonly FailpointName[],
): Promise<void> {
  await member?.program.end("SIGKILL");
  for (const point of points) {
    const passing = 1 + Math.floor(random.float() * MAX_PASSING);
    const failing = member?.start({ point, passing, signal: "SIGKILL" });
    await eventually(`the program to be killed at ${point}:${passing}`, () => {
      expect(failing?.isRunning()).toBe(false);
    });
    expect(await failing?.ended).toEqual({ code: null, signal: "SIGKILL" });
    await pause(500);
  }
  member?.start();
}
