import { describe, expect, it } from "vitest";
import type { KubeRequest, KubeResponse } from "../../../../src/kube/kube.ts";
import { RetryableError } from "../../../../src/lib/errors.ts";
import { type AgentWorld, respond } from "../../../support/agent/agent-world.ts";
import { isList } from "../../../support/agent/intercept.ts";
import { syncedWorld } from "../../../support/agent/synced-world.ts";

type Fault = () => KubeResponse | Promise<KubeResponse>;

const FAULTS: readonly (readonly [string, Fault, string])[] = [
  ["429 with Retry-After", () => ({ ...respond(429), retryAfterMs: 1_000 }), "TooManyRequests"],
  ["503", () => respond(503), "ServiceUnavailable"],
  ["500", () => respond(500), "InternalError"],
  ["a reset", () => Promise.reject(new RetryableError("connection reset")), "Unavailable"],
  ["a reset in the body", () => ({ ...respond(200), body: broken() }), "Unavailable"],
];

const REQUESTS: readonly (readonly [string, (request: KubeRequest) => boolean])[] = [
  ["the list", ({ path, query }) => isList(path, query)],
  ["the check of the uid", ({ path }) => path.endsWith("/namespaces/kube-system")],
  ["a read", ({ path }) => path.endsWith("/configmaps/b")],
];

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('{"kind":');
  throw new RetryableError("connection reset");
}

/** A synced world whose row of "b" is missing, and that answers some requests with a fault. */
async function faultyWorld(
  isFaulty: (request: KubeRequest, count: number) => boolean,
  fault: Fault,
): Promise<AgentWorld> {
  const world = await syncedWorld(["a", "b", "c"]);
  world.backend.rows.get("configmaps")?.delete("default/b");
  let count = 0;
  world.intercept = (request, go) => (isFaulty(request, count) && ++count > 0 ? fault() : go());
  return world;
}

describe("a transient answer to a comparison (R56)", () => {
  for (const [requestName, matches] of REQUESTS) {
    for (const [faultName, fault, reason] of FAULTS) {
      it(`${faultName} of ${requestName}, once, delays the comparison`, async () => {
        await using world = await faultyWorld((request, count) => count < 1 && matches(request), fault);
        world.backend.ask("configmaps");
        await world.advance(90_000);
        expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 3n, equal: 2n, put: 1n });
        expect(world.backend.reconciled.at(-1)?.failure).toBeUndefined();
        expect(world.backend.contents("configmaps")).toEqual(world.truth());
      });

      it(`${faultName} of ${requestName}, always, fails the comparison with the last reason`, async () => {
        await using world = await faultyWorld((request) => matches(request), fault);
        world.backend.ask("configmaps");
        await world.advance(900_000);
        expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe(reason);
      });
    }
  }

  it.each([
    ["the list", ({ path, query }: KubeRequest) => isList(path, query), "MalformedResponse"],
    ["the check of the uid", ({ path }: KubeRequest) => path.endsWith("/kube-system"), "MalformedResponse"],
    ["a read", ({ path }: KubeRequest) => path.endsWith("/configmaps/b"), "Unread"],
  ])(
    "a page of a proxy instead of %s delays the comparison once, and fails it when it stays",
    async (...row) => {
      const [, matches, reason] = row;
      const fault = () => respond(200, "<html>");
      await using once = await faultyWorld((request, count) => count < 1 && matches(request), fault);
      once.backend.ask("configmaps");
      await once.advance(60_000);
      expect(once.backend.reconciled.at(-1)).toMatchObject({ listed: 3n, equal: 2n, put: 1n });
      await using always = await faultyWorld(matches, fault);
      always.backend.ask("configmaps");
      await always.advance(600_000);
      expect(always.backend.reconciled.at(-1)?.failure?.reason).toBe(reason);
    },
  );

  it("is retried only after the delay that the API server requests", async () => {
    const fault = () => ({ ...respond(429), retryAfterMs: 30_000 });
    await using world = await faultyWorld(
      ({ path, query }, count) => count < 1 && isList(path, query),
      fault,
    );
    const before = world.backend.reconciled.length;
    world.backend.ask("configmaps");
    await world.advance(29_000);
    expect(world.backend.reconciled).toHaveLength(before);
    await world.advance(5_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ put: 1n });
  });

  it("fails the comparison at once if the API server requests a longer delay than a minute", async () => {
    const fault = () => ({ ...respond(429), retryAfterMs: 3_600_000 });
    await using world = await faultyWorld(({ path, query }) => isList(path, query), fault);
    world.backend.ask("configmaps");
    await world.advance(1_000);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("TooManyRequests");
  });

  it("is retried with one budget for all requests of a comparison", async () => {
    let lists = 0;
    await using world = await faultyWorld(
      ({ path, query }) => isList(path, query) && ++lists > 0,
      () => respond(503),
    );
    world.backend.ask("configmaps");
    await world.advance(120_000);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("ServiceUnavailable");
    expect(lists).toBe(1 + 6);
  });

  it("403 is not retried", async () => {
    let lists = 0;
    await using world = await faultyWorld(
      ({ path, query }) => isList(path, query) && ++lists > 0,
      () => respond(403),
    );
    world.backend.ask("configmaps");
    await world.advance(60_000);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("Forbidden");
    expect(lists).toBe(1);
  });

  it("repeats the pages that are read, without a second Put of an object", async () => {
    const names = Array.from({ length: 600 }, (_, i) => `c${i}`);
    await using world = await syncedWorld(names);
    world.backend.rows.get("configmaps")?.clear();
    let pages = 0;
    world.intercept = ({ path, query, accept }, go) =>
      isList(path, query) && accept === "application/json" && ++pages === 2 ? respond(503) : go();
    world.backend.ask("configmaps");
    await world.advance(10_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 600n, put: 600n });
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });
});
