import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "../../../test/support/e2e/programs.ts";
import { createKubeconfig } from "../create-kubeconfig.ts";
import { queryRows } from "../query-rows.ts";
import { until } from "../until.ts";
import { ATTACKER, type Target } from "./target.ts";

/** Starts the attacker's agent, which reads these resource types, and waits for its first run. */
export async function startAgent(target: Target, apiUrl: string, resources: string): Promise<Program> {
  const [kubeconfig, tokenFile] = [join(target.directory, "kubeconfig"), join(target.directory, "token")];
  writeFileSync(kubeconfig, createKubeconfig(apiUrl));
  writeFileSync(tokenFile, target.token, { mode: 0o600 });
  const to = ["--server", target.url, "--token-file", tokenFile, "--cluster", "attacked"];
  const agent = target.programs.start("agent", ...to, "--kubeconfig", kubeconfig, "--resources", resources);
  await until("the first run", async () => (await countRuns(target)) > 0, agent);
  return agent;
}

/** Returns the number of ended runs of the attacker. */
export async function countRuns({ databaseUrl }: Target): Promise<number> {
  const [row] = await queryRows<{ count: number }>(
    databaseUrl,
    `SELECT count(*)::int FROM reconciliation_run WHERE account = '${ATTACKER}' AND ended_at IS NOT NULL`,
  );
  return row?.count ?? 0;
}

/** Returns the number of present rows of the attacker of one resource type. */
export async function countObjects({ databaseUrl }: Target, resource: string): Promise<number> {
  const [row] = await queryRows<{ count: number }>(
    databaseUrl,
    `SELECT count(*)::int FROM kubernetes_object
     WHERE account = '${ATTACKER}' AND resource = '${resource}' AND state = 'present'`,
  );
  return row?.count ?? 0;
}
