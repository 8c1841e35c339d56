import { describe } from "vitest";
import { describePoison } from "./poison.ts";
import { describeRule } from "./rule.ts";
import { describeRuns } from "./runs.ts";

/** What the store guarantees on every Postgres that it runs on. */
export function describeIngestStore(name: string, database: { readonly url: string }): void {
  describe(`store contract: ${name}`, () => {
    describeRule(database);
    describePoison(database);
    describeRuns(database);
  });
}
