import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { findBrokerDistribution } from "../../../deploy/local/components/broker-distribution.ts";
import { type Broker, startBroker } from "../../../deploy/local/components/broker-server.ts";
import { findControlPlaneBinaries } from "../../../deploy/local/components/control-plane-binaries.ts";
import {
  type ControlPlane,
  startControlPlane,
} from "../../../deploy/local/components/control-plane-server.ts";
import { found } from "../../../deploy/local/components/missing.ts";
import {
  findPostgres,
  type PostgresServer,
  startPostgres,
} from "../../../deploy/local/components/postgres-server.ts";
import { createReaper } from "../../../deploy/local/components/reaper.ts";

/** Values that test files get at the start of a run. */
export interface Provisions {
  /** URL for requests of servers; a server is started on first use. */
  readonly url: string;
  /** Reason why there is no Postgres, for people; unset if there is one. */
  readonly postgresMissing: string | undefined;
  /** Reason why there is no control plane, for people; unset if there is one. */
  readonly controlPlaneMissing: string | undefined;
  /** Reason why there is no Pulsar broker, for people; unset if there is one. */
  readonly brokerMissing: string | undefined;
}

/** Starts the servers of the tests, at most once per run and on first use. */
export interface Provisioner extends AsyncDisposable {
  readonly provisions: Provisions;
}

/**
 * Detects the available servers, and listens on the loopback interface for requests of the test files'
 * processes: `/postgres`, `/control-plane` and `/broker`.
 */
export async function createProvisioner(): Promise<Provisioner> {
  const postgresSource = findPostgres();
  const controlPlaneSource = findControlPlaneBinaries();
  const distribution = findBrokerDistribution();
  const reaper = createReaper();
  const postgres = lazily<PostgresServer>(async () => startPostgres(found(postgresSource), reaper));
  const controlPlane = lazily<ControlPlane>(async () => {
    found(controlPlaneSource);
    return startControlPlane(reaper);
  });
  const broker = lazily<Broker>(async () => startBroker({ distribution: found(distribution), reaper }));
  const routes = new Map<string | undefined, () => Promise<unknown>>([
    ["/postgres", postgres.get],
    ["/control-plane", controlPlane.get],
    ["/broker", broker.get],
  ]);
  const server = createServer((request, response) => {
    const start = routes.get(request.url) ?? (() => Promise.reject(new Error(`nothing at ${request.url}`)));
    start()
      .then((made) => response.end(JSON.stringify(made)))
      .catch((error: unknown) => response.writeHead(500).end(String(error)));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    provisions: {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      postgresMissing: "missing" in postgresSource ? postgresSource.missing : undefined,
      controlPlaneMissing: "missing" in controlPlaneSource ? controlPlaneSource.missing : undefined,
      brokerMissing: "missing" in distribution ? distribution.missing : undefined,
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await Promise.allSettled([postgres.stop(), controlPlane.stop(), broker.stop()]);
      await reaper[Symbol.asyncDispose]();
    },
  };
}

/** Creates the value once for all callers. */
function lazily<T extends { stop(): Promise<void> }>(
  make: () => Promise<T>,
): { readonly get: () => Promise<T>; readonly stop: () => Promise<void> } {
  let made: Promise<T> | undefined;
  return {
    get: () => {
      made ??= make();
      return made;
    },
    stop: async () => (await made)?.stop(),
  };
}
