import type { Plan } from "./plan.ts";

/** A shrunk plan that once broke an invariant. */
export interface Regression {
  /** The fault of the product that it found. */
  readonly fault: string;
  readonly plan: Plan;
}

export const REGRESSIONS: readonly Regression[] = [];
