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

  it("makes what is missing from several places at once, and is content after that", async () => {
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

  it("changes nothing in a dry run", async () => {
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

  it("says what others have set, and replaces it only when it is told to", async () => {
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

  it("never changes how many partitions there are", async () => {
    const tenant = newTenant();
    await topics(tenant);
    const { code, out } = await topics(tenant, "--partitions", "5", "--overwrite");
    expect(code).toBe(1);
    expect(out).toMatch(/main\/events +5 partitions +3 partitions +left: .* for its life/);
  });

  it("checks the broker's limits against the largest object, or the largest message that was configured", async () => {
    const tenant = newTenant();
    await topics(tenant);
    expect((await topics(tenant, "--bus-max-message", "1MiB")).code).toBe(0);
    const { maxTextFrameBytes } = await administer(broker().adminUrl, tenant).readBrokerLimits(signal);
    expect(maxTextFrameBytes).toBeGreaterThan((LARGEST_MESSAGE_BYTES * 4) / 3);
  });
});
