import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { FleetService } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { Program } from "../../../test/support/e2e/programs.ts";
import type { ApiProcess } from "../start-api-process.ts";
import { until } from "../until.ts";
import { ATTACKED, countObjects } from "./start-agent.ts";
import type { Target } from "./target.ts";

const DIGITS = [250_000, 1_000_000];

/**
 * Creates ConfigMaps of digits, whose rows and contents are read again.
 *
 * @param round number of the call with this target, from 1
 */
export async function sendDigits(
  target: Target,
  api: ApiProcess,
  agent: Program,
  round: number,
): Promise<{ readonly rowsMs: number; readonly readMs: number }> {
  const start = performance.now();
  const names = DIGITS.map((count) => `digits-${count}-${round}`);
  for (const [index, name] of names.entries()) {
    await api.createConfigMaps([name], `:${"1".repeat(DIGITS[index] ?? 0)}x`);
  }
  const expected = DIGITS.length * round;
  await until("the rows", async () => (await countObjects(target, "configmaps")) === expected, agent);
  const rowsMs = performance.now() - start;
  return { rowsMs, readMs: await readAll(target, names) };
}

async function readAll({ url, token }: Target, names: readonly string[]): Promise<number> {
  const client = createClient(FleetService, createGrpcTransport({ baseUrl: url }));
  const headers = { authorization: `Bearer ${token}` };
  const start = performance.now();
  for (const name of names) {
    const resourceType = { group: "", version: "v1", resource: "configmaps" };
    const ref = { resourceType, namespace: "default", name };
    await client.getObject({ cluster: ATTACKED, ref }, { headers });
  }
  return performance.now() - start;
}
