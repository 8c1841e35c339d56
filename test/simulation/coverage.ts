import { FAULTS, WRITES } from "./plan.ts";

/** Effects of the edges: what a fault did to one message, request or transaction. */
export const EFFECTS = [
  "publish refused",
  "publish refused: partition full",
  "message lost",
  "receipt lost",
  "acknowledgement lost",
  "delivery late",
  "call refused: broker gone",
  "query refused: database gone",
  "lock held",
  "commit failed",
  "commit done, answer lost",
  "request refused: API server gone",
  "not ready",
  "answer 404 of a group",
  "discovery partial",
  "answer 503 of a group",
  "answer 401",
  "answer 403",
  "answer 500",
  "answer 429",
  "false 404",
  "request slow",
  "response broken",
  "object abridged",
  "deletion at last version",
  "run requested",
  "dry run requested",
  "deletions approved",
  "messages replayed",
  "outbox full",
  "window full",
] as const;

export type Effect = (typeof EFFECTS)[number];

/** Races that a line of the trace proves. The numbers are those of docs/races.md. */
export const RACES: Readonly<Record<string, RegExp>> = {
  "R6 stale list refused": /lists below the high watermark refused/,
  "R14 second agent waits": /standby registered/,
  "R16 new incarnation": /new incarnations begun/,
  "R34 session replaced": /session (ended|restarted)/,
  "R70 resource type leaves the scope": /resource type left the scope/,
  "R75 forbidden": /forbidden|Forbidden/,
  "cluster of another uid refused": /expected kube-system uid/,
  "deletions withheld": /deletions withheld/,
  "process killed": /: killed$/,
};

/** Every name that a set of simulations must reach. */
export const MUST_REACH: readonly string[] = [
  ...Object.keys(WRITES),
  ...Object.keys(FAULTS),
  ...EFFECTS,
  ...Object.keys(RACES),
];

/** Returns the races that a trace proves. */
export function findRaces(trace: readonly string[]): string[] {
  return Object.entries(RACES)
    .filter(([, pattern]) => trace.some((line) => pattern.test(line)))
    .map(([name]) => name);
}

/** Returns the number of simulations that reached each name. */
export function countReached(
  results: Iterable<{ readonly reached: readonly string[] }>,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { reached } of results) {
    for (const name of reached) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return counts;
}

/** Formats the share of the simulations that reached each name, the rarest first. */
export function formatCoverage(reached: ReadonlyMap<string, number>, simulations: number): string {
  return [...MUST_REACH]
    .map((name) => ({ name, share: (reached.get(name) ?? 0) / Math.max(1, simulations) }))
    .toSorted((a, b) => a.share - b.share)
    .map(({ name, share }) => `${(100 * share).toFixed(1).padStart(5)} %  ${name}`)
    .join("\n");
}
