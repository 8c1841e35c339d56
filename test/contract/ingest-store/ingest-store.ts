import { describe } from "vitest";
import { describeCounts } from "./counts.ts";
import { describeDryRun } from "./dry-run.ts";
import { describeFindings } from "./findings.ts";
import { describeFreshness } from "./freshness.ts";
import { describeGuard } from "./guard.ts";
import { describeJudgement } from "./judgement.ts";
import { describePoison } from "./poison.ts";
import { describeRule } from "./rule.ts";
import { describeRuns } from "./runs.ts";
import { describeScope } from "./scope.ts";
import { describeScrub } from "./scrub.ts";
import { describeSharedEnds } from "./shared-ends.ts";
import { describeTombstones } from "./tombstones.ts";

/** Contract of the store on each supported Postgres. */
export function describeIngestStore(name: string, database: { readonly url: string }): void {
  describe(`store contract: ${name}`, () => {
    describeRule(database);
    describePoison(database);
    describeRuns(database);
    describeScope(database);
    describeJudgement(database);
    describeSharedEnds(database);
    describeScrub(database);
    describeGuard(database);
    describeFindings(database);
    describeDryRun(database);
    describeTombstones(database);
    describeCounts(database);
    describeFreshness(database);
  });
}
