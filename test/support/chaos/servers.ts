import { afterAll, beforeAll, describe, inject } from "vitest";
import type { BrokerAddress } from "../../../deploy/local/components/broker-server.ts";
import type { ControlPlaneAddress } from "../../../deploy/local/components/control-plane-server.ts";
import type { OwnPostgres } from "../../../deploy/local/components/postgres-server.ts";

/** The servers of a scenario. */
export interface SharedServers {
  readonly broker: BrokerAddress;
  readonly postgres: Pick<OwnPostgres, "url">;
  readonly controlPlane: ControlPlaneAddress;
  /** File with the deletions that the API server received. */
  readonly auditLogPath: string;
}

/** The servers that all files share, and a broker for the file that freezes one. */
export interface ChaosServers extends SharedServers {
  readonly brokerToFreeze: BrokerAddress & { readonly processId: number };
}

declare module "vitest" {
  interface ProvidedContext {
    /** The servers of all files, or the reasons why there are none. */
    readonly chaosServers: ChaosServers | { readonly missing: readonly string[] };
  }
}

/** A server of a file is ready within this time, in milliseconds: several start at once on a busy machine. */
const START_TIMEOUT_MS = 3 * 60_000;

/**
 * `describe` for chaos tests. All files share the servers, and each scenario has its own database, tenant and
 * namespaces. Without one of the servers they are skipped, and the name has the reason.
 */
export function describeChaos(name: string, body: (servers: ChaosServers) => void): void {
  const servers = inject("chaosServers");
  if ("missing" in servers) {
    describe.skip(`${name} (skipped: ${servers.missing.join("; ")})`, () => {
      // The scenarios are registered, and never run.
      body({} as ChaosServers);
    });
    return;
  }
  describe(name, () => body(servers));
}

/** Starts a server for the scenarios of a file that stop or freeze it. It is available in a test. */
export function ownServer<T extends AsyncDisposable>(start: () => Promise<T>): () => T {
  let server: T | undefined;
  beforeAll(async () => {
    server = await start();
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  return () => {
    if (server === undefined) {
      throw new Error("server: not available while tests are collected; call it inside a test");
    }
    return server;
  };
}
