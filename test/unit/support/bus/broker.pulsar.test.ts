import { expect, it } from "vitest";
import { createBrokerAdmin } from "../../../../deploy/local/components/broker-admin.ts";
import { describeWithBroker } from "../../../support/bus/broker.ts";
import { describeWithOwnBroker } from "../../../support/bus/own-broker.ts";

describeWithBroker("the broker of the tests", (broker) => {
  it("has the tenant's namespaces", async () => {
    const { adminUrl, tenant } = broker();
    const namespaces = await createBrokerAdmin(adminUrl).send("GET", `namespaces/${tenant}`);
    expect(namespaces).toEqual([`${tenant}/main`, `${tenant}/replies`]);
  });

  it("listens on the loopback interface only, and not where a broker usually does", () => {
    const { adminUrl, serviceUrl, webSocketUrl } = broker();
    for (const url of [adminUrl, serviceUrl, webSocketUrl]) {
      expect(url).toMatch(/^\w+:\/\/127\.0\.0\.1:\d+$/);
      expect(url).not.toMatch(/:(6650|8080)$/);
    }
  });
});

const settings = { webSocketSessionIdleTimeoutMillis: 12_345 };

describeWithOwnBroker("a broker of one's own", { settings }, (broker) => {
  it("has what it stored after stop and start", { timeout: 240_000 }, async () => {
    const { adminUrl, tenant } = broker();
    const admin = createBrokerAdmin(adminUrl);
    await admin.send("PUT", `persistent/${tenant}/main/kept`);
    let whileDown: Promise<boolean> | undefined;
    await broker().restart(async () => {
      whileDown = admin.isHealthy().catch(() => false);
      await whileDown;
    });
    expect(await whileDown).toBe(false);
    const topics = await admin.send("GET", `persistent/${tenant}/main`);
    expect(topics).toContain(`persistent://${tenant}/main/kept`);
  });

  it("has the settings that it was given", async () => {
    const settings = await createBrokerAdmin(broker().adminUrl).send("GET", "brokers/configuration/runtime");
    expect(settings).toMatchObject({ webSocketSessionIdleTimeoutMillis: "12345" });
  });
});
