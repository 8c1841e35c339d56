import { rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createClient } from "../../../../src/bus/pulsar-native/create-client.ts";
import type { ClientConfig, PulsarClientPackage } from "../../../../src/bus/pulsar-native/pulsar-client.ts";
import { createSilentLog } from "../../../../src/lib/silent-log.ts";
import { createMemoryPulsarClient } from "../../../support/memory-pulsar-client.ts";

const settings = { url: "pulsar+ssl://broker:6651", tenant: "evenkeel" };

function createRecordingPackage() {
  const memory = createMemoryPulsarClient();
  const seen: { config?: ClientConfig; token?: () => string } = {};
  const pulsar: PulsarClientPackage = {
    Client: class extends memory.Client {
      static override setLogHandler(): void {}
      constructor(config: ClientConfig) {
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
  it("takes a certificate only of the host that it connects to", () => {
    const { pulsar, seen } = createRecordingPackage();
    createClient({ ...settings, trustCertsFile: "/ca.pem" }, createSilentLog(), pulsar);
    expect(seen.config).toMatchObject({
      serviceUrl: "pulsar+ssl://broker:6651",
      tlsValidateHostname: true,
      tlsTrustCertsFilePath: "/ca.pem",
    });
    expect(seen.config).not.toHaveProperty("authentication");
  });

  it("reads the token again each time, and gives the last one while there is none", async () => {
    const directory = await mkdtemp(join(tmpdir(), "evenkeel-token-"));
    const tokenFile = join(directory, "token");
    const { pulsar, seen } = createRecordingPackage();
    createClient({ ...settings, tokenFile }, createSilentLog(), pulsar);
    expect(seen.token?.()).toBe("");
    writeFileSync(tokenFile, "first\n");
    expect(seen.token?.()).toBe("first");
    writeFileSync(tokenFile, "second\n");
    expect(seen.token?.()).toBe("second");
    rmSync(directory, { recursive: true });
    expect(seen.token?.()).toBe("second");
  });
});
