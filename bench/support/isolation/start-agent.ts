import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "../../../test/support/e2e/programs.ts";
import { createKubeconfig } from "../create-kubeconfig.ts";
import { queryRows } from "../query-rows.ts";
import { until } from "../until.ts";
import { ATTACKER, type Target } from "./target.ts";

/** Cluster of the attacker's agent, unless the case has several. */
export const ATTACKED = "attacked";

/** Starts an agent of the attacker, which reads these resource types, and waits for its first run. */
export async function startAgent(
  target: Target,
  apiUrl: string,
  resources: string,
  cluster = ATTACKED,
): Promise<Program> {
  const kubeconfig = join(target.directory, `kubeconfig-${cluster}`);
  const tokenFile = join(target.directory, "token");
  writeFileSync(kubeconfig, createKubeconfig(apiUrl));
  writeFileSync(tokenFile, target.token, { mode: 0o600 });
  const to = ["--server", target.url, "--token-file", tokenFile, "--cluster", cluster];
  const agent = target.programs.start("agent", ...to, "--kubeconfig", kubeconfig, "--resources", resources);
  await until("the first run", async () => (await countRuns(target, cluster)) > 0, agent);
  return agent;
}

/** Returns the number of ended runs of a cluster of the attacker. */
async function countRuns({ databaseUrl }: Target, cluster: string): Promise<number> {
  const [row] = await queryRows<{ count: number }>(
    databaseUrl,
    `SELECT count(*)::int FROM reconciliation_run
     WHERE account = '${ATTACKER}' AND cluster = '${cluster}' AND ended_at IS NOT NULL`,
  );
  return row?.count ?? 0;
}

/** Returns the number of present rows of one resource type of a cluster of the attacker. */
export async function countObjects(
  { databaseUrl }: Target,
  resource: string,
  cluster = ATTACKED,
): Promise<number> {
  const [row] = await queryRows<{ count: number }>(
    databaseUrl,
    `SELECT count(*)::int FROM kubernetes_object
     WHERE account = '${ATTACKER}' AND cluster = '${cluster}' AND resource = '${resource}' AND state = 'present'`,
  );
  return row?.count ?? 0;
}
