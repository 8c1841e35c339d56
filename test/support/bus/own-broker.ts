import { afterAll, beforeAll, describe } from "vitest";
import { findBrokerDistribution } from "../../../deploy/local/components/broker-distribution.ts";
import {
  type Broker,
  type BrokerOptions,
  startBroker,
} from "../../../deploy/local/components/broker-server.ts";
import { createReaper, type Reaper } from "../../../deploy/local/components/reaper.ts";

/** Pulsar may be downloaded first, once per machine. */
const startTimeoutMs = 10 * 60_000;

/**
 * `describe` for tests that stop, start or configure their own Pulsar broker. It costs about 7 s and 320 MB.
 * Without a broker they are skipped, and the name has the reason.
 */
export function describeWithOwnBroker(
  name: string,
  options: Pick<BrokerOptions, "settings" | "adminToken">,
  body: (broker: () => Broker) => void,
): void {
  const distribution = findBrokerDistribution();
  let broker: Broker | undefined;
  const get = (): Broker => {
    if (broker === undefined) {
      throw new Error("broker: not available while tests are collected; call it inside a test or a hook");
    }
    return broker;
  };
  if ("missing" in distribution) {
    describe.skip(`${name} (skipped: ${distribution.missing})`, () => body(get));
    return;
  }
  describe(name, () => {
    let reaper: Reaper | undefined;
    beforeAll(async () => {
      reaper = createReaper();
      broker = await startBroker({ ...options, distribution, reaper });
    }, startTimeoutMs);
    afterAll(async () => {
      await broker?.stop();
      await reaper?.[Symbol.asyncDispose]();
    });
    body(get);
  });
}
