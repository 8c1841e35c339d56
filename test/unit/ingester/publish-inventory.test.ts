import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { type Event, EventSchema } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import {
  ReconciliationRequestSchema,
  type ResourceInventory,
  ResourceInventorySchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { Consumer } from "../../../src/bus/bus.ts";
import { createMemoryBus, type MemoryBus, type PublishOutcome } from "../../../src/bus/memory/memory-bus.ts";
import { decodeEvent } from "../../../src/event/codec.ts";
import { createProducerPool } from "../../../src/ingester/producer-pool.ts";
import { publishInventory } from "../../../src/ingester/publish-inventory.ts";
import type { Scrub } from "../../../src/ingester/scrub.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { retry } from "../../../src/lib/retry.ts";
import { ScriptedIngestStore } from "../../support/ingester/scripted-ingest-store.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

const { signal } = new AbortController();
const RUN = "0d6b1c4e-6f0a-4c9e-9a54-0f6d2b3c1a77";
const request = create(ReconciliationRequestSchema, {
  runId: RUN,
  initiator: "evenkeel/backend",
  time: { seconds: 1n },
  trigger: ReconciliationTrigger.INTERVAL,
});
const event: Event = create(EventSchema, {
  account: "acme",
  cluster: "c1",
  clusterUid: "uid",
  epoch: 7n,
  body: { case: "reconciliationRequest", value: request },
});

function resourceType(resource: string) {
  return create(ResourceTypeSchema, { version: "v1", resource });
}

function chunk(
  resource: string,
  attempt: number,
  objects: number,
  managed = 0,
  range: { readonly through?: { readonly namespace: string; readonly name: string } } = {},
): ResourceInventory {
  const ref = { namespace: "a", name: "x" };
  return create(ResourceInventorySchema, {
    resourceType: resourceType(resource),
    objects: Array.from({ length: objects }, () => ({ ref })),
    chunk: { run: { runId: RUN, attempt }, range, managed: Array.from({ length: managed }, () => ref) },
  });
}

describe("publishInventory", () => {
  let bus: MemoryBus;
  let store: ScriptedIngestStore;
  let replies: Consumer;
  let outcomeFor: () => PublishOutcome;
  const clock = new ManualClock();
  let scrub: Scrub;

  beforeEach(async () => {
    outcomeFor = () => "store";
    bus = createMemoryBus({ outcomeFor: () => outcomeFor() });
    store = new ScriptedIngestStore();
    scrub = async () => {};
    replies = await bus.subscribe(signal, {
      topic: "replies/test",
      subscription: "s",
      maxUnacknowledged: 1000,
      maxPrefetched: 16,
    });
  });
  afterEach(() => bus.close());

  const answer = (of = request) =>
    publishInventory(
      signal,
      { store, producers: createProducerPool(bus), clock, scrub },
      {
        ...{ event, request: of },
        position: { account: "acme", cluster: "c1", epoch: 7n, sequence: 0n },
      },
    );
  const read = async (count: number): Promise<Event[]> => {
    const events: Event[] = [];
    for await (const delivery of replies.deliveries(signal)) {
      events.push(decodeEvent(delivery));
      if (events.length === count) {
        break;
      }
    }
    return events;
  };
  const show = ({ body }: Event): string[] =>
    body.case === "reconciliationRequest"
      ? body.value.inventories.map(
          (inventory) => `${inventory.resourceType?.resource} ${inventory.chunk?.run?.attempt}`,
        )
      : [String(body.case)];

  it("publishes to the topic of the backend that owns the session, under the session's identity", async () => {
    store.resourceTypes = [resourceType("pods")];
    store.inventory = ({ attempt }) => [chunk("pods", attempt, 3)];
    await answer();
    const [reply] = await read(1);
    expect(reply).toMatchObject({ account: "acme", cluster: "c1", epoch: 7n, sequence: 0n });
    expect(reply?.body.value).toMatchObject({
      runId: RUN,
      inventories: [{ resourceType: { resource: "pods" } }],
    });
  });

  it("scrubs each resource type before its inventory is read, so that the same run repairs it (R81)", async () => {
    const calls: string[] = [];
    store.resourceTypes = [resourceType("a"), resourceType("b")];
    scrub = async (_signal, { cluster }, { resource }) => void calls.push(`scrub ${cluster} ${resource}`);
    store.inventory = ({ attempt }, { resource }) => {
      calls.push(`read ${resource}`);
      return [chunk(resource, attempt, 1)];
    };
    await answer();
    expect(calls).toEqual(["scrub c1 a", "read a", "scrub c1 b", "read b"]);
  });

  it("scrubs nothing for a dry run, because a scrub clears checksums (R82)", async () => {
    store.resourceTypes = [resourceType("a")];
    scrub = async () => expect.fail("not to be called");
    store.inventory = ({ attempt }, { resource }) => [chunk(resource, attempt, 1)];
    await answer({ ...request, dryRun: true });
    const [reply] = await read(1);
    expect(reply?.body.value).toMatchObject({ runId: RUN, dryRun: true });
  });

  it("packs small resource types together, and splits at about 500 objects, including managed ones", async () => {
    const sizes: Readonly<Record<string, [number, number]>> = {
      a: [0, 0],
      b: [250, 200],
      c: [100, 0],
      d: [500, 0],
      e: [0, 0],
    };
    store.resourceTypes = Object.keys(sizes).map(resourceType);
    store.inventory = ({ attempt }, { resource }) => [
      chunk(resource, attempt, ...(sizes[resource] ?? [0, 0])),
    ];
    await answer();
    const published = await read(4);
    expect(published.map(show)).toEqual([["a 1", "b 1"], ["c 1"], ["d 1"], ["e 1"]]);
    expect(store.inventoryBytes).toEqual(published.map((each) => toBinary(EventSchema, each).byteLength));
  });

  it("counts the bytes of an inventory of several messages with its last one", async () => {
    store.resourceTypes = [resourceType("a")];
    const through = { namespace: "a", name: "x" };
    store.inventory = ({ attempt }) => [chunk("a", attempt, 400, 0, { through }), chunk("a", attempt, 400)];
    await answer();
    const bytes = (await read(2)).map((each) => toBinary(EventSchema, each).byteLength);
    expect(store.inventoryBytes).toEqual([bytes.reduce((sum, each) => sum + each)]);
  });

  it("publishes nothing if the run has ended, or the session is another one", async () => {
    store.isAnswered = false;
    store.resourceTypes = [resourceType("pods")];
    outcomeFor = () => "refuse";
    await answer();
    expect(store.inventoryBytes).toEqual([]);
  });

  it("begins a new attempt when a publish fails in the middle (R33)", async () => {
    store.resourceTypes = [resourceType("a"), resourceType("b")];
    store.inventory = ({ attempt }, { resource }) => [chunk(resource, attempt, 999)];
    const fates: PublishOutcome[] = ["store", "storeUnknown"];
    outcomeFor = () => fates.shift() ?? "store";
    const options = { clock, random: createSeededRandom(1), log: createTestLog(), name: "answering" };
    const answered = retry(signal, { ...options, classify: () => "retry" }, answer);
    await clock.advance(1000);
    await answered;
    expect((await read(4)).map(show)).toEqual([["a 1"], ["b 1"], ["a 2"], ["b 2"]]);
    expect(store.inventoryBytes).toHaveLength(4);
  });
});
