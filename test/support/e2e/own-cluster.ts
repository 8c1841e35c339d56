import type { ControlPlane } from "../../../deploy/local/components/control-plane-server.ts";
import { createControlPlane } from "../kube/control-plane.ts";
import { createKubeClient, type KubeClient } from "../kube/kube-client.ts";
import { createTestDatabase } from "../postgres/postgres.ts";
import { findDifferences } from "./copy.ts";
import { openKube } from "./open-kube.ts";
import { createPrograms } from "./programs.ts";
import { createHandOnRows, type HandOnRows } from "./rows.ts";
import { type ServerAndAgent, type ServerAndAgentOptions, startServerAndAgent } from "./server-and-agent.ts";

/** A control plane and a database of one test file, and the programs between them. */
export interface OwnCluster extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  readonly client: KubeClient;
  readonly rows: HandOnRows;
  /** Starts a server and an agent, and waits until a run has verified the cluster. */
  start(args?: Pick<ServerAndAgentOptions, "agentArgs" | "serverArgs">): Promise<ServerAndAgent>;
  /** Compares all rows with all objects. */
  findDifferences(): Promise<readonly string[]>;
}

/** Starts the control plane and creates the database; `cluster` is the name in the copy. */
export async function createOwnCluster(cluster: string): Promise<OwnCluster> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await createTestDatabase());
  const controlPlane = stack.use(await createControlPlane());
  const programs = stack.use(createPrograms());
  const { kubeconfigPath } = controlPlane;
  const databaseUrl = database.url;
  const disposal = stack.move();
  return {
    controlPlane,
    client: createKubeClient(controlPlane),
    rows: createHandOnRows(() => databaseUrl, cluster),
    async start(args = {}) {
      const begun = new Date();
      const fleet = await startServerAndAgent({ programs, databaseUrl, cluster, kubeconfigPath, ...args });
      await fleet.connected(begun);
      return fleet;
    },
    async findDifferences() {
      using kube = openKube({ type: "kubeconfig", path: kubeconfigPath });
      return await findDifferences({ databaseUrl, cluster, kube });
    },
    [Symbol.asyncDispose]: () => disposal.disposeAsync(),
  };
}
