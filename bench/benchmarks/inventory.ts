import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { callFleet } from "../../test/support/e2e/fleet-api.ts";
import { CLUSTER } from "../support/create-kubeconfig.ts";
import { waitForRun } from "../support/runs.ts";
import { quantile } from "../support/statistics.ts";
import type { World } from "../support/world.ts";

const OBJECTS = 10_000;
const CONTENT_BYTES = 3_500;
const RUNS = 5;

/** Measures the cost of a run without changes, compared to the first run, which copied everything. */
export async function inventory(world: World): Promise<void> {
  await using api = await world.startApi();
  await api.fill(OBJECTS, CONTENT_BYTES);
  const databaseUrl = await world.createDatabase();
  const server = await world.startServer(databaseUrl);
  const agent = world.startAgent(server.url, api.url);
  const first = await waitForRun(databaseUrl, 1, agent);
  const runs = [];
  for (let count = 2; count < 2 + RUNS; count++) {
    await callFleet(server.url, FleetService.method.startReconciliation, { cluster: CLUSTER });
    runs.push(await waitForRun(databaseUrl, count, agent));
  }
  await agent.end("SIGTERM");
  await server.stop();
  const ms = quantile(
    runs.map(({ durationMs }) => durationMs),
    0.5,
  );
  const bytes = quantile(
    runs.map(({ inventoryBytes }) => inventoryBytes),
    0.5,
  );
  console.log(`  first run: ${first.durationMs.toFixed(0)} ms, ${first.repairBytes} bytes of objects`);
  console.log(
    `  unchanged: ${ms.toFixed(0)} ms, ${bytes} bytes of inventory (${(bytes / OBJECTS).toFixed(1)} an object)`,
  );
  const ratios = [ms / first.durationMs, bytes / first.repairBytes];
  console.log(`  ratio: time ${ratios[0]?.toFixed(2)}, bytes ${ratios[1]?.toFixed(3)}`);
}
