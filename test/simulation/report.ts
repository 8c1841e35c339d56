import { seconds, type Violation } from "./checker.ts";
import type { Plan, Step } from "./plan.ts";
import type { SimulationResult } from "./simulate.ts";

/** Violations and lines of the trace in a report. */
const MAX_VIOLATIONS = 5;
const MAX_LINES = 60;

/** Formats a broken invariant: the seed, what was broken, the steps that break it, the history, and how to repeat it. */
export function formatFailure(plan: Plan, { violations, trace, history }: SimulationResult): string {
  const [first] = violations;
  const lines = trace.filter((line) => first === undefined || Number.parseFloat(line) * 1000 <= first.at);
  return [
    `seed ${plan.seed}: ${violations.length} violations`,
    ...violations.slice(0, MAX_VIOLATIONS).map(formatViolation),
    "",
    `steps (${plan.steps.length} after shrinking):`,
    ...plan.steps.map(formatStep),
    "",
    "history of the object:",
    ...history,
    "",
    `last ${MAX_LINES} events before it:`,
    ...lines.slice(-MAX_LINES),
    "",
    `repeat it: npm run simulate -- --seed ${plan.seed}`,
    `the shrunk plan, for regressions.ts: ${JSON.stringify(plan)}`,
  ].join("\n");
}

function formatViolation({ invariant, at, cluster, message }: Violation): string {
  return `  ${invariant} at ${seconds(at)} in ${cluster}: ${message}`;
}

function formatStep(step: Step): string {
  const what = {
    write: () => (step.type === "write" ? step.write : ""),
    fault: () => (step.type === "fault" ? `${step.fault} for ${seconds(step.forMs)}` : ""),
    run: () => "requested",
  };
  return `  ${seconds(step.at).padStart(9)} cluster-${step.cluster} ${step.type}: ${what[step.type]()}`;
}
