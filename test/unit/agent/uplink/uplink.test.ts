import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ReconciliationTrigger, RefusedItemsSchema } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { DrainSchema } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { InvalidArgumentError, RetryableError, TerminalError } from "../../../../src/lib/errors.ts";
import { AgentWorld } from "../../../support/agent/agent-world.ts";

const MINUTE = 60_000;

/** Starts an agent whose cluster another process has. */
async function startStandby(): Promise<AgentWorld> {
  const world = new AgentWorld();
  world.configMap("a", "1");
  world.backend.activeInstanceId = "other";
  await world.start();
  return world;
}

/** Advances the time while the backend repeats its notice. */
async function standBy(world: AgentWorld, minutes: number): Promise<void> {
  for (let notices = 0; notices < minutes * 6; notices += 1) {
    await world.advance(10_000);
    world.backend.noticeStandby();
  }
  await world.advance(0);
}

const standbyLines = (world: AgentWorld): string[] =>
  world.log.lines.filter((line) => line.includes("waiting as a standby"));

describe("an uplink", () => {
  it("R61: waits as a standby in one stream, reads nothing of the cluster, and logs it once", async () => {
    await using world = await startStandby();
    const before = world.requests.length;
    await standBy(world, 60);
    expect(world.backend.hellos).toHaveLength(1);
    expect(world.agent.counters).toMatchObject({ sessions: 0, lists: 0 });
    expect(world.requests).toHaveLength(before);
    expect(standbyLines(world)).toEqual([expect.stringContaining("other")]);
  });

  it("R61: becomes active when the backend welcomes it", async () => {
    await using world = await startStandby();
    await standBy(world, 5);
    world.backend.welcome();
    await world.advance();
    world.backend.ask("configmaps", { trigger: ReconciliationTrigger.CONNECT });
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.agent.counters.sessions).toBe(1);
  });

  it("R61: an agent that was replaced waits as a standby, logs it, and later continues", async () => {
    await using world = new AgentWorld();
    await world.start();
    world.backend.activeInstanceId = "other";
    world.backend.disconnect();
    await world.advance(2_000);
    await standBy(world, 2);
    world.configMap("a", "1");
    await standBy(world, 1);
    expect(standbyLines(world)).toHaveLength(1);
    expect(world.agent.counters.sessions).toBe(1);
    world.backend.welcome();
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("R61: a standby connects again when its backend is silent, drains, or cuts it off", async () => {
    await using world = await startStandby();
    await world.advance(15_000 + 1_000);
    expect(world.backend.hellos).toHaveLength(2);
    world.backend.send({ case: "drain", value: create(DrainSchema, { retryAfter: { seconds: 2n } }) });
    await world.advance(6_000);
    expect(world.backend.hellos).toHaveLength(3);
    world.backend.disconnect();
    await world.advance(6_000);
    expect(world.backend.hellos).toHaveLength(4);
    expect(new Set(world.backend.hellos.map(({ instanceId }) => instanceId)).size).toBe(1);
    expect(standbyLines(world)).toHaveLength(1);
  });

  it("R61: a standby ends at once when it is stopped", async () => {
    await using world = await startStandby();
    const started = world.clock.monotonic();
    const ended = world.ended.then(() => world.clock.monotonic() - started);
    await world.stop();
    expect(await ended).toBe(0);
    expect(world.clock.pending).toBe(0);
  });

  it("R62: a stream that dies after each acknowledgement does not return in a hot loop", async () => {
    await using world = new AgentWorld();
    await world.start();
    for (let tenths = 0; tenths < 1_200; tenths += 1) {
      world.backend.disconnect();
      await world.advance(100);
    }
    expect(world.agent.counters.acknowledged).toBeGreaterThan(0n);
    expect(world.agent.counters.sessions).toBeLessThanOrEqual(24);
  });

  it("R62: after a minute of uptime an agent reconnects soon again", async () => {
    await using world = new AgentWorld();
    await world.start();
    for (let failures = 0; failures < 100; failures += 1) {
      world.backend.disconnect();
      await world.advance(2_000);
    }
    await world.advance(MINUTE + 30_000);
    world.backend.disconnect();
    const before = world.agent.counters.sessions;
    await world.advance(600);
    expect(world.agent.counters.sessions).toBe(before + 1);
  });

  it("R94: logs a notice of refused items in one line, counts them, and continues its session", async () => {
    await using world = new AgentWorld();
    await world.start();
    const sent = world.backend.received.length;
    const names = Array.from({ length: 100 }, (_, index) => `x${index}`);
    world.backend.send({
      case: "refusedItems",
      value: create(RefusedItemsSchema, {
        sequence: 2n,
        resourceType: { group: "apps", version: "v1", resource: "deployments" },
        total: 120,
        items: names.map((name) => ({ ref: { namespace: "a", name }, reason: "not canonical" })),
      }),
    });
    await world.advance(1_000);
    const warnings = world.log.entries.filter(({ level }) => level === "warn");
    expect(warnings).toMatchObject([
      {
        message: "items refused by the ingester; their rows have no content",
        fields: {
          resourceType: "deployments.v1.apps",
          items: 120,
          first: ["a/x0", "a/x1", "a/x2", "a/x3", "a/x4"],
          reason: "not canonical",
          sequence: 2n,
        },
      },
    ]);
    expect(world.agent.counters).toMatchObject({ sessions: 1, refused: 120 });
    expect(world.backend.received).toHaveLength(sent);
    world.configMap("later", "1");
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("ends with a permanent refusal of the backend", async () => {
    await using world = new AgentWorld();
    await world.start();
    world.backend.disconnect(new TerminalError("this agent is not known"));
    await world.advance(1_000);
    await expect(world.ended).rejects.toThrow("this agent is not known");
  });

  it("ends without an error when the refusal comes after it was stopped", async () => {
    await using world = new AgentWorld();
    await world.start();
    world.backend.holdAcknowledgements = true;
    world.configMap("a", "1");
    await world.advance();
    const stopped = world.stop();
    world.backend.disconnect(new TerminalError("this agent is not known"));
    await expect(stopped).resolves.toBeUndefined();
  });

  it("stops after the flush time although the backend acknowledges nothing", async () => {
    await using world = new AgentWorld();
    await world.start();
    world.backend.holdAcknowledgements = true;
    world.configMap("a", "1");
    await world.advance();
    const started = world.clock.monotonic();
    const ended = world.ended.then(() => world.clock.monotonic() - started);
    await world.stop();
    expect(await ended).toBe(3_000);
  });

  it("logs an outage of the backend and its end once each, however often it tries", async () => {
    await using world = new AgentWorld();
    await world.start();
    const { openSync } = world.backend;
    let isDown = true;
    world.connect = (signal, requests) => {
      if (isDown) {
        throw new RetryableError("no backend answers");
      }
      return openSync(signal, requests);
    };
    world.backend.disconnect(new RetryableError("no backend answers"));
    await world.advance(5 * MINUTE);
    isDown = false;
    await world.advance(MINUTE);
    const lines = world.log.entries.filter(({ message }) => message.startsWith("session"));
    expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "info session opened",
      "info session ended; reconnecting",
      "info session reconnected",
      "info session opened",
    ]);
    expect(lines.at(-1)?.fields).toMatchObject({ epoch: 2n });
  });

  it("waits as long as the backend asks, and up to a tenth longer", async () => {
    await using world = new AgentWorld();
    await world.start();
    for (const _ of [1, 2, 3]) {
      const { sessions } = world.agent.counters;
      world.backend.disconnect(new RetryableError("overloaded", { retryAfterMs: 100_000 }));
      await world.advance(99_000);
      expect(world.agent.counters.sessions).toBe(sessions);
      await world.advance(16_000);
      expect(world.agent.counters.sessions).toBe(sessions + 1);
    }
  });

  it("logs each item that the backend refuses, with the reason", async () => {
    await using world = new AgentWorld();
    await world.start();
    world.backend.holdAcknowledgements = true;
    world.configMap("a", "1");
    await world.advance();
    const violation = { field: "batch.items[0].put_object.ref", description: "no such name" };
    world.backend.disconnect(new InvalidArgumentError([violation]));
    await world.advance(5_000);
    expect(world.log.entries.filter(({ level }) => level === "error")).toMatchObject([
      { fields: { item: "configmaps default/a", error: expect.stringContaining("no such name") } },
    ]);
  });
});
