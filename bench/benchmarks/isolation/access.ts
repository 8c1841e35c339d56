import { once } from "node:events";
import { request } from "node:http";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { FleetService } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { ScriptedAgent } from "../../../test/support/backend/scripted-agent.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { measureLoad } from "../../support/isolation/measure-load.ts";
import { startTarget, type Target } from "../../support/isolation/target.ts";
import { createBatch, PODS } from "../../support/tenant-bus.ts";
import type { World } from "../../support/world.ts";

/** Time limit of streams after the removal of their key. */
const MAX_SECONDS = 10.5;
const WAIT_MS = 30_000;

/** Rights that end, and callers that have none. */
export const accessCases: readonly IsolationCase[] = [
  {
    row: 8,
    attack: "key removed, with an open watch and a session that sends puts",
    bound: "streams end in 10 s, nothing acknowledged after; G",
    run: removeKey,
  },
  { row: 8, attack: "foreign Host or Origin without authentication", bound: "403", run: sendForeignNames },
];

async function removeKey(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  await using agent = new ScriptedAgent(target.url, target.token);
  await agent.open({ cluster: "revoked" });
  agent.send({ case: "scopeDeclared", value: { generation: 1n, resources: [{ resourceType: PODS }] } });
  await agent.acknowledged();
  const stop = new AbortController();
  const watching = watch(target, AbortSignal.any([stop.signal, AbortSignal.timeout(WAIT_MS)]));
  const { load, value: afterMs } = await measureLoad(target, async () => {
    const removed = performance.now();
    target.revokeAttacker();
    const [watchMs, sessionMs] = await Promise.all([
      watching.then(() => performance.now() - removed),
      sendUntilRefused(agent).then(() => performance.now() - removed),
    ]);
    const late = await isAccepted(target);
    return { watchMs, sessionMs, late };
  });
  stop.abort();
  const ends = `watch ended after ${toSeconds(afterMs.watchMs)}, session after ${toSeconds(afterMs.sessionMs)}`;
  const detail = `${ends}, new session ${afterMs.late ? "accepted" : "refused"}`;
  const slowest = Math.max(afterMs.watchMs, afterMs.sessionMs) / 1_000;
  return { load, detail, holds: slowest <= MAX_SECONDS && !afterMs.late };
}

/** Resolves when the server ends the watch. */
async function watch({ url, token }: Target, signal: AbortSignal): Promise<void> {
  const client = createClient(FleetService, createGrpcTransport({ baseUrl: url }));
  const headers = { authorization: `Bearer ${token}` };
  try {
    for await (const _ of client.watchReconciliationRuns({}, { headers, signal })) {
      // Only its end matters.
    }
  } catch {
    // The refusal.
  }
}

/** Changes an object again and again. Resolves at the first change that is not acknowledged. */
async function sendUntilRefused(agent: ScriptedAgent): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  try {
    for (let version = 1; performance.now() < deadline; version += 1) {
      agent.send({ case: "batch", value: createBatch(0, 1, 1_000, version) });
      await agent.acknowledged();
    }
  } catch {
    // The session has ended.
  }
}

async function isAccepted({ url, token }: Target): Promise<boolean> {
  await using agent = new ScriptedAgent(url, token);
  return await agent.open({ cluster: "late" }).then(
    () => true,
    () => false,
  );
}

async function sendForeignNames(world: World): Promise<Finding> {
  const server = await world.startServer(await world.createDatabase());
  const statuses = [];
  for (const headers of [
    { host: "copy.example.com" },
    { origin: "https://example.com" },
    { host: "127.0.0.1.example.com" },
  ]) {
    const call = request(`${server.url}/evenkeel.v1.FleetService/ListClusters`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
    });
    call.end("{}");
    const [response] = await once(call, "response");
    response.resume();
    statuses.push(response.statusCode);
  }
  await server.stop();
  return {
    detail: `statuses ${statuses.join(", ")}`,
    holds: statuses.every((status) => status === 403),
  };
}

function toSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
