import { afterEach, beforeEach, expect, it } from "vitest";
import type { Bus, Delivery } from "../../../src/bus/bus.ts";
import { openBus } from "../../../src/bus/open-bus.ts";
import { toDeadLetter } from "../../../src/event/dead-letter.ts";
import { DEAD_LETTER_SUBSCRIPTION, INGESTER_SUBSCRIPTION, TOPICS } from "../../../src/event/topics.ts";
import { describeWithBroker } from "../../support/bus/broker.ts";
import { busDependencies } from "../../support/bus/bus-dependencies.ts";
import { createPutMessage } from "../../support/bus/dead-letters.ts";
import { administer, newTenant } from "../../support/bus/pulsar-tenant.ts";
import { type RunResult, runForTest } from "../../support/cli/run-for-test.ts";
import { eventually } from "../../support/e2e/eventually.ts";

const { signal } = new AbortController();

describeWithBroker("evenkeel dlq", (broker) => {
  let tenant: string;
  let bus: Bus;

  const run = (...args: string[]): Promise<RunResult> =>
    runForTest(args, {
      environment: { EVENKEEL_BUS_URL: broker().webSocketUrl, EVENKEEL_BUS_TENANT: tenant },
    });
  const list = async (...flags: string[]): Promise<{ id: string; cluster: string; reason: string }[]> => {
    const { out, err } = await run("dlq", "list", "-o", "json", ...flags);
    expect(err).toBe("");
    return JSON.parse(out).deadLetters;
  };
  const backlog = (): Promise<number> =>
    administer(broker().adminUrl, tenant)
      .readSubscription(signal, TOPICS.deadLetter, DEAD_LETTER_SUBSCRIPTION)
      .then(({ backlog }) => backlog);

  beforeEach(async () => {
    tenant = newTenant();
    expect(await run("admin", "topics", "--partitions", "2")).toMatchObject({ code: 0 });
    bus = await openBus({ url: broker().webSocketUrl, tenant }, busDependencies);
    const producer = await bus.createProducer(signal, TOPICS.deadLetter);
    for (const [index, cluster] of ["c1", "c2", "c1"].entries()) {
      const delivery: Delivery = {
        properties: {},
        ...createPutMessage(cluster, `web-${index}`, '{"a":1}'),
        redeliveryCount: 1,
        messageId: `9:${index}`,
        acknowledge: async () => {},
        redeliver: async () => {},
      };
      await producer.publish(signal, toDeadLetter(delivery, `cannot store ${index}: "ü"\nsecond line`));
    }
    await producer.close();
  });
  afterEach(() => bus.close());

  it("the list shows the same dead letters each time, and can filter them", async () => {
    const table = await run("dlq", "list");
    expect(table).toMatchObject({ code: 0, err: "" });
    expect(table.out).toMatch(/^ID +TIME +ACCOUNT +CLUSTER +BODY +BYTES +REDELIVERIES +REASON\n/);
    expect(table.out).toMatch(/acme +c2 +1 deployments\.apps +\d+ +1 +cannot store 1: "ü" second line\n/);
    expect((await list()).map(({ cluster }) => cluster)).toEqual(["c1", "c2", "c1"]);
    expect(await list("--cluster", "c2")).toHaveLength(1);
    expect(await list("--account", "nobody")).toEqual([]);
    expect((await run("dlq", "list", "--limit", "2")).err).toContain("There are more dead letters");
    expect(await backlog()).toBe(3);
  });

  it("a dead letter is shown with contents only on request", async () => {
    const [letter] = await list();
    const shown = await run("dlq", "show", letter?.id ?? "");
    expect(shown.out).toMatch(/^ +name: web-0$/m);
    expect(shown.out).not.toContain("contents");
    const json = await run("dlq", "show", letter?.id ?? "", "--contents", "-o", "json");
    expect(JSON.parse(json.out)).toMatchObject({
      reason: 'cannot store 0: "ü"\nsecond line',
      sourcePosition: "9:0",
      contents: [{ namespace: "shop", name: "web-0", content: '{"a":1}' }],
    });
    expect(await backlog()).toBe(3);
  });

  it("exactly the named dead letter is dropped", async () => {
    const [first, second, third] = await list();
    const dropped = await run("dlq", "drop", second?.id ?? "");
    expect(dropped).toMatchObject({ code: 0, out: `dropped ${second?.id}\n` });
    expect((await list()).map(({ id }) => id)).toEqual([first?.id, third?.id]);
    await eventually("the acknowledgement", async () => expect(await backlog()).toBe(2));
  });

  it("exactly the named dead letters are retried, unchanged", async () => {
    const [first, second, third] = await list();
    const retried = await run("dlq", "retry", third?.id ?? "", first?.id ?? "");
    expect(retried).toMatchObject({ code: 0, out: `retried ${first?.id}\nretried ${third?.id}\n` });
    expect((await list()).map(({ id }) => id)).toEqual([second?.id]);
    const consumer = await bus.subscribe(signal, {
      topic: TOPICS.events,
      subscription: INGESTER_SUBSCRIPTION,
      maxUnacknowledged: 10,
      maxPrefetched: 10,
    });
    const events: Delivery[] = [];
    for await (const event of consumer.deliveries(signal)) {
      events.push(event);
      if (events.length === 2) {
        break;
      }
    }
    const published = [0, 2].map((index) => createPutMessage("c1", `web-${index}`, '{"a":1}'));
    expect(events.map(({ key, properties }) => ({ key, properties }))).toEqual(
      published.map(({ key, properties }) => ({ key, properties })),
    );
    expect(events.map(({ payload }) => Buffer.from(payload))).toEqual(
      published.map(({ payload }) => Buffer.from(payload)),
    );
  });

  it("the error of a missing topic names the command that creates it", async () => {
    tenant = newTenant();
    const { code, err } = await run("dlq", "list");
    expect(code).toBe(1);
    expect(err).toMatch(/404: .*; create the topics with "evenkeel admin topics"\n$/);
  });

  it("an unknown dead letter is an error", async () => {
    const { code, err } = await run("dlq", "drop", "1:1");
    expect([code, err]).toEqual([1, 'evenkeel: no dead letter "1:1"; list them with "evenkeel dlq list"\n']);
  });
});
