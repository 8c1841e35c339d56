import { describe, expect, it } from "vitest";
import { openBus } from "../../../src/bus/open-bus.ts";
import { loadPulsarClient } from "../../../src/bus/pulsar/native/load-pulsar-client.ts";
import type { PulsarClientPackage } from "../../../src/bus/pulsar/native/pulsar-client.ts";
import { ConfigError } from "../../../src/lib/errors.ts";
import { busDependencies } from "./bus-dependencies.ts";

const pulsar = await loadPulsarClient().catch(() => undefined);

/**
 * `describe` for tests of Pulsar's own client. Where its native part is not installed, saying so is what is expected of
 * it, and tested instead; a note at the end of the run says what was not tried.
 */
export function describeWithPulsarClient(name: string, body: (pulsar: PulsarClientPackage) => void): void {
  if (pulsar !== undefined) {
    describe(name, () => body(pulsar));
    return;
  }
  describe(`${name} (not tried: its native part is not installed)`, () => {
    it("is refused with what to do about it, and what else there is", async ({ task }) => {
      task.meta.note = `${name} was not tried: the native part of pulsar-client is not installed`;
      const opened = openBus({ url: "pulsar://127.0.0.1:6650", tenant: "evenkeel" }, busDependencies);
      await expect(opened).rejects.toThrow(ConfigError);
      await expect(opened).rejects.toThrow(/npm run install.*ws:\/\//s);
    });
  });
}
