import { rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createClient } from "../../../../../src/bus/pulsar/native/create-client.ts";
import type {
  PulsarClientConfig,
  PulsarClientPackage,
} from "../../../../../src/bus/pulsar/native/pulsar-client.ts";
import { createSystemClock } from "../../../../../src/lib/clock.ts";
import { createMemoryPulsarClient } from "../../../../support/bus/memory-pulsar-client.ts";
import { createTestLog } from "../../../../support/vitest/test-log.ts";

const outside = { clock: createSystemClock(), log: createTestLog() };
const settings = { url: "pulsar+ssl://broker:6651", tenant: "evenkeel" };

function createRecordingPackage() {
  const memory = createMemoryPulsarClient();
  const seen: { config?: PulsarClientConfig; token?: () => string } = {};
  const pulsar: PulsarClientPackage = {
    Client: class extends memory.Client {
      static override setLogHandler(): void {}
      constructor(config: PulsarClientConfig) {
        super(config);
        seen.config = config;
      }
    },
    AuthenticationToken: class {
      constructor({ token }: { readonly token: () => string }) {
        seen.token = token;
      }
    },
  };
  return { pulsar, seen };
}

describe("createClient", () => {
  it("the client accepts only certificates of the host that it connects to", () => {
    const { pulsar, seen } = createRecordingPackage();
    createClient({ ...settings, trustCertsFile: "/ca.pem" }, outside, pulsar);
    expect(seen.config).toMatchObject({
      serviceUrl: "pulsar+ssl://broker:6651",
      tlsValidateHostname: true,
      tlsTrustCertsFilePath: "/ca.pem",
    });
    expect(seen.config).not.toHaveProperty("authentication");
  });

  it("the token is read for each use, and the last one is used while there is none", async () => {
    const directory = await mkdtemp(join(tmpdir(), "evenkeel-token-"));
    const tokenFile = join(directory, "token");
    const { pulsar, seen } = createRecordingPackage();
    createClient({ ...settings, tokenFile }, outside, pulsar);
    expect(seen.token?.()).toBe("");
    writeFileSync(tokenFile, "first\n");
    expect(seen.token?.()).toBe("first");
    writeFileSync(tokenFile, "second\n");
    expect(seen.token?.()).toBe("second");
    rmSync(directory, { recursive: true });
    expect(seen.token?.()).toBe("second");
  });

  it("the handle keeps nothing of the client after its close", async () => {
    const pulsar = createMemoryPulsarClient();
    const collected = Promise.withResolvers<string>();
    const registry = new FinalizationRegistry<string>(collected.resolve);
    class Watched extends pulsar.AuthenticationToken {
      constructor(options: { readonly token: () => string }) {
        super(options);
        registry.register(this, "gone");
      }
    }
    const client = createClient({ ...settings, token: "t" }, outside, {
      ...pulsar,
      AuthenticationToken: Watched,
    });
    await client.close();
    expect(await collected.promise).toBe("gone");
    expect(() => client.get()).toThrow("closed");
  });
});
