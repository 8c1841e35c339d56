import { beforeAll, describe } from "vitest";
import type { BrokerAddress } from "../../../deploy/local/components/broker-server.ts";
import { provision, provisions } from "../vitest/provided.ts";

/** Pulsar may have to be downloaded first, once per machine. */
const startTimeoutMs = 10 * 60_000;

/**
 * `describe` for tests of a real Pulsar broker: one for the whole run, which all files share, so they keep to topics
 * of their own and change nothing that others see. Where there is none they are skipped, and the name says why.
 */
export function describeWithBroker(name: string, body: (broker: () => BrokerAddress) => void): void {
  const { brokerMissing } = provisions();
  let address: BrokerAddress | undefined;
  const get = (): BrokerAddress => {
    if (address === undefined) {
      throw new Error("the broker is there once the tests run: ask for it inside them or their hooks");
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
