import { describe } from "vitest";
import { loadPulsarClient } from "../../../src/bus/pulsar/native/load-pulsar-client.ts";
import type { PulsarClientPackage } from "../../../src/bus/pulsar/native/pulsar-client.ts";
import { OPTIONAL_PARTS } from "../vitest/optional-parts.ts";

const pulsar = await loadPulsarClient().catch(() => undefined);

/**
 * `describe` for tests of Pulsar's own client. Without its native part, which is optional, they are skipped,
 * the name has the reason, and the end of the run lists them as not run.
 */
export function describeWithPulsarClient(name: string, body: (pulsar: PulsarClientPackage) => void): void {
  if (pulsar !== undefined) {
    describe(name, () => body(pulsar));
  } else {
    // The bodies are collected but not run, so no test uses the client.
    describe.skip(`${name} (not run: ${OPTIONAL_PARTS.pulsarClient})`, () =>
      body(undefined as unknown as PulsarClientPackage));
  }
}
