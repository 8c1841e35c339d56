import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { AgentWorld } from "../../../support/agent/agent-world.ts";

const CONNECT = ReconciliationTrigger.CONNECT;

describe("a session", () => {
  it("reads acknowledgements while comparisons wait for room (R32)", async () => {
    const tight = { maxPendingBytes: 500, batch: { maxItems: 2, maxBytes: 1_000 } };
    await using world = new AgentWorld({}, tight);
    world.backend.maxUnacknowledgedBytes = 500n;
    const names = Array.from({ length: 100 }, (_, i) => `c${i}`);
    for (const name of names) {
      world.configMap(name, "1");
    }
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(5_000);
    await world.stop();
    for (const name of names) {
      world.cluster.delete("configmaps", "default", name);
    }
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT, chunkSize: 3 });
    await world.advance(5_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ deleted: 100n });
    expect(world.backend.contents("configmaps")).toEqual({});
  });

  it("reads acknowledgements behind a batch that comes while others wait for room (R32)", async () => {
    await using world = new AgentWorld({}, { maxPendingBytes: 500, batch: { maxItems: 2, maxBytes: 1_000 } });
    world.backend.maxUnacknowledgedBytes = 500n;
    for (let index = 0; index < 30; index += 1) {
      world.configMap(`c${index}`, "1");
    }
    await world.start();
    world.backend.holdAcknowledgements = true;
    world.backend.ask("configmaps");
    await world.advance(2_000);
    world.backend.ask("configmaps");
    await world.advance(2_000);
    world.backend.holdAcknowledgements = false;
    world.backend.acknowledge();
    await world.advance(20_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });
});
