import type { Violation } from "./checker.ts";
import type { Plan, Step } from "./plan.ts";

/** Most plans that are tried. */
const MAX_TRIALS = 80;

/**
 * Removes steps of a plan as long as the same invariant stays broken: halves first, then smaller parts (the ddmin
 * algorithm of Zeller and Hildebrandt, 2002).
 */
export async function shrink(
  plan: Plan,
  invariant: Violation["invariant"],
  run: (plan: Plan) => Promise<readonly Violation[]>,
): Promise<Plan> {
  let steps: readonly Step[] = plan.steps;
  let trials = 0;
  const fails = async (fewer: readonly Step[]): Promise<boolean> => {
    trials += 1;
    const violations = await run({ ...plan, steps: fewer });
    return violations.some((violation) => violation.invariant === invariant);
  };
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < steps.length && trials < MAX_TRIALS; ) {
      const fewer = steps.toSpliced(at, size);
      if (await fails(fewer)) {
        steps = fewer;
      } else {
        at += size;
      }
    }
  }
  return { ...plan, steps };
}
