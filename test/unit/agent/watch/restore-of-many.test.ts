import { expect, it, vi } from "vitest";
import { ReconciliationTrigger } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { askAll, changeAll, createCustomWorld, customTypes } from "../../../support/agent/custom-types.ts";

const types = customTypes(200);
const INTERVAL_MS = 10 * 60_000;

// 200 resource types take 9 s of CPU time, which is a minute on a busy machine.
vi.setConfig({ testTimeout: 180_000 });

it("200 resource types that go back twice in one session end it once, and one run verifies all (R16)", async () => {
  await using world = createCustomWorld(types);
  await world.start();
  const { backend, cluster } = world;
  askAll(world, types);
  await world.advance(10_000);
  const backups: number[] = [];
  for (const value of ["2", "3"]) {
    backups.push(cluster.store.revision);
    for (const time of ["first", "second", "third"]) {
      changeAll(world, types, `${value} ${time}`);
    }
    await world.advance(1_000);
  }
  const [older = 0, newer = 0] = backups;
  cluster.restore(newer);
  changeAll(world, types, "restored once");
  await world.advance(60_000);
  const lines = world.log.entries.filter(({ level }) => level === "warn");
  expect(lines.map(({ fields }) => fields["count"])).toEqual([200, 200]);
  expect(new Set(types.map((key) => backend.incarnations.get(key)))).toEqual(new Set([1n]));
  cluster.restore(older);
  changeAll(world, types, "restored twice");
  while (backend.epoch < 2n) {
    await world.advance(100);
  }
  // The run on connect begins while most of the resource types have not noticed the second restore.
  const ends = backend.reconciled.length;
  const begun = world.clock.monotonic();
  askAll(world, types, ReconciliationTrigger.CONNECT);
  while (backend.reconciled.length < ends + types.length) {
    expect(world.clock.monotonic() - begun).toBeLessThan(INTERVAL_MS);
    await world.advance(1_000);
  }
  expect(backend.reconciled.slice(ends).filter(({ failure }) => failure !== undefined)).toEqual([]);
  expect(world.agent.counters.sessions).toBe(2);
  for (const key of types) {
    expect(backend.contents(key)).toEqual(world.truth(key));
    expect(backend.incarnations.get(key)).toBe(2n);
  }
});
