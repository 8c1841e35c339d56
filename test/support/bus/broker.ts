import { beforeAll, describe } from "vitest";
import type { BrokerAddress } from "../../../deploy/local/components/broker-server.ts";
import { provision, provisions } from "../vitest/provided.ts";

/** Pulsar may be downloaded first, once per machine. */
const startTimeoutMs = 10 * 60_000;

/**
 * `describe` for tests of a real Pulsar broker. All files of a run share one broker, so they use their own
 * topics and leave others unchanged. Without a broker they are skipped, and the name has the reason.
 */
export function describeWithBroker(name: string, body: (broker: () => BrokerAddress) => void): void {
  const { brokerMissing } = provisions();
  let address: BrokerAddress | undefined;
  const get = (): BrokerAddress => {
    if (address === undefined) {
      throw new Error("broker: not available while tests are collected; call it inside a test or a hook");
    }
    return address;
  };
  if (brokerMissing !== undefined) {
    describe.skip(`${name} (skipped: ${brokerMissing})`, () => body(get));
    return;
  }
  describe(name, () => {
    beforeAll(async () => {
      address = await provision<BrokerAddress>("/broker");
    }, startTimeoutMs);
    body(get);
  });
}
