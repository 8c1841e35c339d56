import { expect, it, vi } from "vitest";
import { openBus } from "../../../src/bus/open-bus.ts";
import { ConfigError } from "../../../src/lib/errors.ts";
import { busDependencies } from "../../support/bus/bus-dependencies.ts";

it.each([
  ["memory:", false],
  ["ws://127.0.0.1:1", true],
  ["wss://127.0.0.1:1", true],
])("openBus opens %s without a connection", async (url, isRemote) => {
  const bus = await openBus({ url, tenant: "evenkeel", maxMessageBytes: 12_345 }, busDependencies);
  expect(bus).toMatchObject({ isRemote, maxMessageBytes: 12_345 });
  await bus.close();
});

it.each(["http://127.0.0.1:8080", "nonsense", ""])("openBus refuses %j", async (url) => {
  const opening = openBus({ url, tenant: "evenkeel" }, busDependencies);
  await expect(opening).rejects.toThrow(ConfigError);
  await expect(opening).rejects.toThrow("must have the scheme memory:, ws:, wss:, pulsar: or pulsar+ssl:");
});

it("openBus refuses pulsar: without the native part of its client, and the error names the remedy and the alternative", async () => {
  vi.doMock("pulsar-client", () => {
    throw new Error("Cannot find module 'pulsar.node'");
  });
  const opened = openBus({ url: "pulsar://127.0.0.1:6650", tenant: "evenkeel" }, busDependencies);
  await expect(opened).rejects.toThrow(ConfigError);
  await expect(opened).rejects.toThrow(/npm run install.*ws:\/\//s);
});
