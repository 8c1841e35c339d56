import { expect, it } from "vitest";
import { createBrokerAdmin } from "../../../deploy/local/components/broker-admin.ts";
import { LARGEST_MESSAGE_BYTES } from "../../../src/event/split-batch.ts";
import { describeWithBroker } from "../../support/bus/broker.ts";
import { administer, newTenant } from "../../support/bus/pulsar-tenant.ts";
import { runForTest } from "../../support/cli/run-for-test.ts";

const { signal } = new AbortController();

describeWithBroker("evenkeel admin topics", (broker) => {
  const topics = (tenant: string, ...flags: string[]) => {
    const environment = { EVENKEEL_BUS_URL: broker().webSocketUrl, EVENKEEL_BUS_TENANT: tenant };
    return runForTest(["admin", "topics", "--partitions", "3", ...flags], { environment });
  };

  it("concurrent commands create the missing items, and the next one finds no difference", async () => {
    const tenant = newTenant();
    const runs = await Promise.all(Array.from({ length: 4 }, () => topics(tenant)));
    expect(runs.map(({ code, err }) => [code, err])).toEqual(runs.map(() => [0, ""]));
    expect(await topics(tenant, "--dry-run")).toMatchObject({
      code: 0,
      out: "Nothing differs.\n",
    });
    const admin = administer(broker().adminUrl, tenant);
    expect(await admin.countPartitions(signal, "main/events")).toBe(3);
    expect(await admin.listSubscriptions(signal, "main/events")).toEqual(["ingester"]);
    expect(await admin.countPartitions(signal, "main/dead-letter")).toBe(0);
    expect(await admin.readTopicPolicies(signal, "main/dead-letter")).toEqual({
      messageTtlSeconds: 2_592_000,
    });
  });

  it("a dry run changes nothing", async () => {
    const tenant = newTenant();
    const { code, out } = await topics(tenant, "--dry-run", "--output", "json");
    expect(code).toBe(1);
    expect(JSON.parse(out).differences[0]).toEqual({
      what: `tenant ${tenant}`,
      wanted: "present",
      done: "left: would be added",
    });
    expect(await administer(broker().adminUrl, tenant).listNamespaces(signal)).toBeUndefined();
  });

  it("a value that others set is reported, and is replaced only with --overwrite", async () => {
    const tenant = newTenant();
    await topics(tenant);
    const others = createBrokerAdmin(broker().adminUrl);
    await others.send("POST", `namespaces/${tenant}/main/messageTTL`, 60);
    await others.send("DELETE", `persistent/${tenant}/main/events/subscription/ingester`);
    const first = await topics(tenant);
    expect(first.code).toBe(1);
    expect(first.out).toMatch(/main: message-ttl +none +1m +left: set to another value; --overwrite/);
    expect(first.out).toMatch(/main\/events: subscription ingester +present +- +added/);
    const second = await topics(tenant, "--overwrite");
    expect(second.code).toBe(0);
    expect(second.out).toMatch(/main: message-ttl +none +1m +replaced/);
  });

  it("the number of partitions never changes", async () => {
    const tenant = newTenant();
    await topics(tenant);
    const { code, out } = await topics(tenant, "--partitions", "5", "--overwrite");
    expect(code).toBe(1);
    expect(out).toMatch(/main\/events +5 partitions +3 partitions +left: .* for its life/);
  });

  it("the broker's limits are compared with the largest object, or with the configured largest message", async () => {
    const tenant = newTenant();
    await topics(tenant);
    expect((await topics(tenant, "--bus-max-message", "1MiB")).code).toBe(0);
    const { maxTextFrameBytes } = await administer(broker().adminUrl, tenant).readBrokerLimits(signal);
    expect(maxTextFrameBytes).toBeGreaterThan((LARGEST_MESSAGE_BYTES * 4) / 3);
  });
});
