import { describe } from "vitest";
import { describePoison } from "./poison.ts";
import { describeRule } from "./rule.ts";
import { describeRuns } from "./runs.ts";
import { describeScrub } from "./scrub.ts";

/** Contract of the store on each supported Postgres. */
export function describeIngestStore(name: string, database: { readonly url: string }): void {
  describe(`store contract: ${name}`, () => {
    describeRule(database);
    describePoison(database);
    describeRuns(database);
    describeScrub(database);
  });
}
