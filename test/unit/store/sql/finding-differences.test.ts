import type { ClientBase } from "pg";
import { expect, it } from "vitest";
import type { Observation } from "../../../../src/store/postgres/observation.ts";
import { recordDifferences } from "../../../../src/store/sql/finding-differences.ts";
import {
  MAX_COMPARED_BYTES,
  type RunContext,
  type RunOutcomeRow,
} from "../../../../src/store/sql/write-rule.ts";

const context = {
  ...{ account: "acme", cluster: "c1", group: "apps", resource: "deployments" },
  run: { runId: "run", attempt: 1 },
} as RunContext;

const row = (name: string | null, content: string | null): RunOutcomeRow => ({
  ...{ applied: 1, out_of_scope: 0 },
  ...{ namespace: name === null ? null : "a", name, content },
});
const observed = (name: string, content: string | null): Observation =>
  ({
    namespace: "a",
    name,
    content: content === null ? null : Buffer.from(content),
  }) as unknown as Observation;

/** Returns the parameters of each statement. */
async function record(observations: readonly Observation[], rows: readonly RunOutcomeRow[]) {
  const statements: unknown[][] = [];
  const query = (_text: string, parameters: unknown[]): void => void statements.push(parameters);
  const client = { query } as unknown as ClientBase;
  await recordDifferences(client, "reconciliation_finding", context, observations, rows);
  return statements;
}

it("stores the differing fields of each finding whose row had content", async () => {
  const observations = [observed("x", '{"spec":{"size":2}}'), observed("y", "{}"), observed("z", '{"b":1}')];
  const rows = [row("x", '{"spec":{"size":1}}'), row("z", '{"b": 1}'), row(null, null)];
  const [parameters, ...others] = await record(observations, rows);
  expect(others).toEqual([]);
  expect(parameters?.slice(0, 7)).toEqual([
    "acme",
    "c1",
    "run",
    "apps",
    "deployments",
    ["a", "a"],
    ["x", "z"],
  ]);
  expect(parameters?.[7]).toEqual(['[{"path":"/spec/size","stored":"1","observed":"2"}]', "[]"]);
});

it("sends no statement if no row had content", async () => {
  expect(await record([observed("x", "{}")], [row(null, null), row("x", null)])).toEqual([]);
});

it("leaves out an object without content, and one above the limit", async () => {
  const large = (size: number): string => JSON.stringify("x".repeat(size - 2));
  const observations = [
    observed("absent", null),
    observed("fits", large(MAX_COMPARED_BYTES)),
    observed("large", large(MAX_COMPARED_BYTES + 1)),
  ];
  const [parameters] = await record(
    observations,
    observations.map(({ name }) => row(name, "{}")),
  );
  expect(parameters?.[6]).toEqual(["fits"]);
});
