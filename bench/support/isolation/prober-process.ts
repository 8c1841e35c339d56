import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { FleetService } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { ResourceScopeSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { ScriptedAgent } from "../../../test/support/backend/scripted-agent.ts";
import { createBatch, PODS } from "../tenant-bus.ts";
import type { Sample } from "./sample.ts";

/*
 * Program of an account that does nothing special: every 50 ms it lists its clusters, and changes one object, or only
 * one of both. It prints each call as a line of JSON. In its own process, so that the work of an attack does not count
 * as the server's.
 */
const [url = "", token = "", calls = ""] = process.argv.slice(2);
const EVERY_MS = 50;
const TIMEOUT_MS = 60_000;
const CLUSTER = "neighbour";

const client = createClient(FleetService, createGrpcTransport({ baseUrl: url }));
const headers = { authorization: `Bearer ${token}` };
let agent: ScriptedAgent | undefined;
let version = 0;

await Promise.all([
  repeat("query", () => client.listClusters({}, { headers, timeoutMs: TIMEOUT_MS })),
  repeat("change", change),
]);

async function repeat(type: Sample["type"], work: () => Promise<unknown>): Promise<void> {
  while (calls.includes(type)) {
    const from = process.hrtime.bigint();
    const error = await work().then(
      () => undefined,
      (cause: unknown) => ConnectError.from(cause).message,
    );
    const to = process.hrtime.bigint();
    const sample: Sample = { type, from: Number(from) / 1e6, to: Number(to) / 1e6, ...(error && { error }) };
    process.stdout.write(`${JSON.stringify(sample)}\n`);
    await sleep(Math.max(1, EVERY_MS - (sample.to - sample.from)));
  }
}

/** Changes an object and waits for the acknowledgement, which follows the commit. */
async function change(): Promise<void> {
  agent ??= await openAgent();
  version += 1;
  try {
    agent.send({ case: "batch", value: createBatch(0, 1, 1_000, version) });
    await agent.acknowledged();
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    agent = undefined;
    throw error;
  }
}

async function openAgent(): Promise<ScriptedAgent> {
  const opened = new ScriptedAgent(url, token);
  await opened.open({ cluster: CLUSTER });
  const resources = [create(ResourceScopeSchema, { resourceType: PODS })];
  opened.send({ case: "scopeDeclared", value: { generation: 1n, resources } });
  await opened.acknowledged();
  return opened;
}
