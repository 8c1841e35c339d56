import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { SyncRequestSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { findViolation } from "../../../src/domain/validation.ts";
import type { KubeRequest, KubeResponse } from "../../../src/kube/kube.ts";
import { createSimulatedTransport } from "../../../src/simulation/simulated-transport.ts";
import { AgentWorld, respond } from "../../support/agent/agent-world.ts";
import { oddTexts, replaceText, type TextPath, textPaths } from "../../support/agent/odd-answers.ts";
import { withSeed } from "../../support/vitest/seeded.ts";

const CONNECT = ReconciliationTrigger.CONNECT;
const signal = new AbortController().signal;

/** Replaces each line of a response, which is a JSON value. */
async function* mapLines(
  body: AsyncIterable<Uint8Array>,
  map: (value: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    const lines = Buffer.from(chunk).toString().split("\n");
    yield Buffer.from(
      lines.map((line) => (line === "" ? "" : JSON.stringify(map(JSON.parse(line))))).join("\n"),
    );
  }
}

function mapped(response: KubeResponse, map: (value: unknown) => unknown): KubeResponse {
  return { ...response, body: mapLines(response.body, map) };
}

/** Serves the ConfigMap "odd" with another text at a place, in lists, reads and watches. */
function serveOdd(world: AgentWorld, path: TextPath, text: string): void {
  const transport = createSimulatedTransport(world.cluster);
  const isOdd = (value: unknown): boolean =>
    (value as { metadata?: { name?: string } }).metadata?.name === "odd";
  const mutate = (value: unknown): unknown => {
    const { items, object } = value as { items?: unknown[]; object?: unknown };
    if (items !== undefined) {
      return { ...(value as object), items: items.map((item) => mutate(item)) };
    }
    if (object !== undefined) {
      return { ...(value as object), object: mutate(object) };
    }
    return isOdd(value) ? replaceText(value, path, text) : value;
  };
  const name = path.join(".") === "metadata.name" ? text : "odd";
  const namespace = path.join(".") === "metadata.namespace" ? text : "default";
  const odd = `/api/v1/namespaces/${encode(namespace)}/configmaps/${encode(name)}`;
  world.intercept = async (request: KubeRequest, go) => {
    const isRead = text !== "" && request.path === odd;
    const real = { ...request, path: "/api/v1/namespaces/default/configmaps/odd" };
    const response = isRead ? await transport.get(signal, real) : await go();
    return request.path.includes("/configmaps") ? mapped(response, mutate) : response;
  };
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function expectValid(world: AgentWorld): void {
  for (const request of world.backend.received) {
    expect(findViolation(SyncRequestSchema, request)).toBeUndefined();
  }
}

/** Expects that the rows of the other ConfigMaps equal the truth. */
function expectOthers(world: AgentWorld): void {
  const { "default/odd": _, ...others } = world.truth();
  expect(world.backend.contents("configmaps")).toMatchObject(others);
}

/** Lets a fresh agent copy a cluster by a run, by its watch, and by another run. */
async function copyWithOdd(path: TextPath, text: string): Promise<void> {
  await using world = new AgentWorld();
  for (const name of ["a", "odd", "z"]) {
    world.configMap(name, "1");
  }
  serveOdd(world, path, text);
  await world.start();
  world.backend.ask("configmaps", { trigger: CONNECT });
  await world.advance(60_000);
  expectOthers(world);
  world.configMap("odd", "2");
  world.configMap("a", "2");
  world.configMap("later", "1");
  await world.advance(120_000);
  expectOthers(world);
  world.backend.ask("configmaps");
  await world.advance(60_000);
  expectOthers(world);
  expectValid(world);
  const end = world.backend.reconciled.at(-1);
  expect(world.backend.reconciled).toHaveLength(2);
  if (end?.failure === undefined) {
    const { listed, equal = 0n, put = 0n, gone = 0n, unrepresentable } = end ?? {};
    expect(listed).toBe(equal + put + gone + (unrepresentable?.count ?? 0n));
  }
  await world.stop();
}

describe("what an API server may serve (R52)", () => {
  const LIMITS: Readonly<Record<string, number>> = {
    "metadata.name": 1_024,
    "metadata.namespace": 63,
    "metadata.uid": 128,
    "metadata.resourceVersion": 128,
  };
  const SAMPLE = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "odd", namespace: "default", uid: "u", resourceVersion: "1", creationTimestamp: "" },
    data: { value: "1" },
  };
  const paths = textPaths(SAMPLE);

  it.each(paths.map((path) => [path.join("."), path] as const))(
    "any text in %s of an object leaves all other rows right",
    async (name, path) => {
      await withSeed(`any text in ${name} of an object`, async (random) => {
        for (const odd of oddTexts(random, LIMITS[name] ?? 253)) {
          await copyWithOdd(path, odd.text).catch((cause: unknown) => {
            throw new Error(`${odd.name}: ${String(cause)}`, { cause });
          });
        }
      });
    },
  );

  it.each(["/apis", "/apis/apps/v1", "/api/v1"])(
    "any text in the discovery of %s leaves all other rows right",
    async (url) => {
      await withSeed(`any text in the discovery of ${url}`, async (random) => {
        await using discovered = new AgentWorld();
        const response = await createSimulatedTransport(discovered.cluster).get(signal, { path: url });
        const answer: unknown = JSON.parse(Buffer.concat(await Array.fromAsync(response.body)).toString());
        const places = textPaths(answer).filter((path) => !isConfigMaps(answer, path));
        for (const path of places) {
          const texts = oddTexts(random, 63);
          const odd = texts[Math.floor(random.float() * texts.length)];
          await using world = new AgentWorld({ resources: ["*"] });
          world.intercept = async (request, go) =>
            request.path === url
              ? mapped(await go(), (value) => replaceText(value, path, odd?.text ?? ""))
              : await go();
          world.configMap("a", "1");
          await world.start();
          await world.advance(30_000);
          expect(world.backend.scopes, `${path.join(".")}: ${odd?.name}`).not.toEqual([]);
          world.backend.ask("configmaps", { trigger: CONNECT });
          await world.advance(2_000);
          expect(world.backend.contents("configmaps"), `${path.join(".")}: ${odd?.name}`).toEqual(
            world.truth(),
          );
          expectValid(world);
          await world.stop();
        }
      });
    },
  );

  it("an object whose name no row can have is skipped, counted and named", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    world.configMap("odd", "1");
    serveOdd(world, ["metadata", "name"], `x\0${"y".repeat(2_000)}`);
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    const end = world.backend.reconciled.at(-1);
    expect(end).toMatchObject({ listed: 2n, put: 1n, unrepresentable: { count: 1n } });
    expect(end?.failure).toBeUndefined();
    expect(end?.unrepresentable?.examples[0]).toMatch(/^default\/x\\u0000y+\.\.\.$/);
    world.configMap("odd", "2");
    world.configMap("odd", "3");
    await world.advance();
    expect(world.agent.counters.unrepresentable).toBe(2);
  });

  it.each([
    ["uid", 128],
    ["resourceVersion", 128],
  ])("an object whose %s is too long is quarantined, and sent once", async (field, limit) => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    world.configMap("odd", "1");
    serveOdd(world, ["metadata", field], "v".repeat(limit + 1));
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    const row = world.backend.rows.get("configmaps")?.get("default/odd");
    expect(row?.put?.quarantineReason).toContain(`metadata.${field}: `);
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 2n, equal: 2n, put: 0n });
  });

  it("an object that is nested too deep is quarantined, and its neighbors are copied", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    world.configMap("odd", "1");
    const deep = `${'{"a":'.repeat(20_000)}1.5${"}".repeat(20_000)}`;
    world.intercept = async ({ path, query }, go) => {
      const response = await go();
      const isContent = path.endsWith("/odd") || query?.["watch"] !== undefined;
      return isContent ? { ...response, body: insertDeep(response.body, deep) } : response;
    };
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    const row = () => world.backend.rows.get("configmaps")?.get("default/odd")?.put;
    expect(row()?.quarantineReason).toContain("nested too deep");
    const first = row()?.resourceVersion;
    world.configMap("odd", "2");
    world.configMap("later", "1");
    await world.advance(60_000);
    expectOthers(world);
    expect(row()?.resourceVersion).not.toBe(first);
    expect(world.backend.reconciled.at(-1)?.failure).toBeUndefined();
  });

  it("an answer that is refused by a gateway does not end the agent", async () => {
    await using world = new AgentWorld();
    world.intercept = ({ path }, go) => (path.endsWith("/kube-system") ? respond(404, "not found") : go());
    await world.start();
    await world.advance(60_000);
    world.intercept = (_request, go) => go();
    await world.advance(60_000);
    expect(world.backend.scopes).toHaveLength(1);
  });
});

function isConfigMaps(answer: unknown, [first, index]: TextPath): boolean {
  const { resources } = answer as { resources?: readonly { readonly name?: string }[] };
  return first === "resources" && resources?.[Number(index)]?.name === "configmaps";
}

/** Replaces the data of the ConfigMap "odd". */
async function* insertDeep(body: AsyncIterable<Uint8Array>, deep: string): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    const text = Buffer.from(chunk).toString();
    yield Buffer.from(
      text.includes('"name":"odd"') ? text.replace(/"data":\{[^}]*\}/, `"data":${deep}`) : text,
    );
  }
}
