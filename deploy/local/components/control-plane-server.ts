import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { buildControlPlane } from "./control-plane-binaries.ts";
import { freePort } from "./free-port.ts";
import type { Reaper } from "./reaper.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

/** Address of a kube-apiserver with its own etcd, as JSON between processes. */
export interface ControlPlaneAddress {
  /** URL such as `https://127.0.0.1:40123`. */
  readonly serverUrl: string;
  /** Path of the server's self-signed certificate. */
  readonly caPath: string;
  /** Token of a member of system:masters. */
  readonly token: string;
  /** Token of the user `restricted`, which has no permissions until a test binds a role to it. */
  readonly restrictedToken: string;
  /** Path of a kubeconfig with the contexts `admin` (the current one) and `restricted`. */
  readonly kubeconfigPath: string;
  /** URL of etcd, for backups and compaction. */
  readonly etcdUrl: string;
}

/** A running control plane. No scheduler or controller runs: pods stay pending, deleted namespaces stay. */
export interface ControlPlane extends ControlPlaneAddress {
  /** Directory of etcd's data, to be copied or replaced while etcd is stopped. */
  readonly etcdDirectory: string;
  /** Returns the ID of the present process of the API server. */
  apiServerProcessId(): number;
  /** Stops and starts both programs; objects, ports and certificates stay. */
  restart(whileDown?: () => Promise<void>): Promise<void>;
  /** Stops and starts the API server only. */
  restartApiServer(whileDown?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/** Options of a control plane. */
export interface ControlPlaneOptions {
  /** Audit policy of the API server, and the file to which it appends its events. Default: no audit. */
  readonly audit?: { readonly policyPath: string; readonly logPath: string };
}

/** Builds missing programs and starts a control plane. It has only the objects that the server itself creates. */
export async function startControlPlane(
  reaper: Reaper,
  options: ControlPlaneOptions = {},
): Promise<ControlPlane> {
  const { etcd, kubeApiserver } = await buildControlPlane();
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-control-plane-"));
  const leftover = { type: "dir", path: directory } as const;
  reaper.add(leftover);
  const etcdUrl = `http://127.0.0.1:${await freePort()}`;
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  const port = await freePort();
  const address = writeAccess(directory, port, etcdUrl);
  const etcdDirectory = join(directory, "etcd");
  const startStore = (): Promise<ServerProcess> =>
    startServerProcess({
      command: etcd,
      args: [
        `--data-dir=${etcdDirectory}`,
        "--unsafe-no-fsync",
        `--listen-client-urls=${etcdUrl}`,
        `--advertise-client-urls=${etcdUrl}`,
        `--listen-peer-urls=${peerUrl}`,
        `--initial-advertise-peer-urls=${peerUrl}`,
        `--initial-cluster=default=${peerUrl}`,
      ],
      reaper,
      isReady: async () => (await fetch(`${etcdUrl}/health`)).ok,
    });
  const startApi = (): Promise<ServerProcess> =>
    startServerProcess({
      command: kubeApiserver,
      args: [...apiserverArgs(directory, port, etcdUrl), ...auditArgs(options)],
      reaper,
      isReady: () => isReady(address),
    });
  let store: ServerProcess;
  let api: ServerProcess;
  const start = async (): Promise<void> => {
    store = await startStore();
    try {
      api = await startApi();
    } catch (error) {
      await store.stop();
      throw error;
    }
  };
  // A graceful stop waits for the watches of clients, up to its timeout. The API server has no state that it needs.
  const stopApi = async (): Promise<void> => api.kill();
  const stopAll = async (): Promise<void> => {
    await stopApi();
    await store.stop();
  };
  await start();
  return {
    ...address,
    etcdDirectory,
    apiServerProcessId: () => api.processId,
    async restart(whileDown = async () => {}) {
      await stopAll();
      await whileDown();
      await start();
    },
    async restartApiServer(whileDown = async () => {}) {
      await stopApi();
      await whileDown();
      api = await startApi();
    },
    async stop() {
      await stopAll();
      rmSync(directory, { recursive: true, force: true });
      reaper.remove(leftover);
    },
  };
}

function writeAccess(directory: string, port: number, etcdUrl: string): ControlPlaneAddress {
  const token = randomBytes(16).toString("hex");
  const restrictedToken = randomBytes(16).toString("hex");
  const serverUrl = `https://127.0.0.1:${port}`;
  const caPath = join(directory, "certs", "apiserver.crt");
  const kubeconfigPath = join(directory, "kubeconfig.json");
  mkdirSync(join(directory, "certs"));
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(join(directory, "sa.key"), privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
  });
  const tokens = [`${token},admin,admin,"system:masters"`, `${restrictedToken},restricted,restricted,""`];
  writeFileSync(join(directory, "tokens.csv"), `${tokens.join("\n")}\n`, { mode: 0o600 });
  const users = { admin: token, restricted: restrictedToken };
  const kubeconfig = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server: serverUrl, "certificate-authority": caPath } }],
    users: Object.entries(users).map(([name, value]) => ({ name, user: { token: value } })),
    contexts: Object.keys(users).map((name) => ({ name, context: { cluster: "test", user: name } })),
    "current-context": "admin",
  };
  writeFileSync(kubeconfigPath, JSON.stringify(kubeconfig, undefined, 2), { mode: 0o600 });
  return { serverUrl, caPath, token, restrictedToken, kubeconfigPath, etcdUrl };
}

function apiserverArgs(directory: string, port: number, etcdUrl: string): string[] {
  const key = join(directory, "sa.key");
  return [
    `--etcd-servers=${etcdUrl}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${port}`,
    `--cert-dir=${join(directory, "certs")}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    `--token-auth-file=${join(directory, "tokens.csv")}`,
    "--authorization-mode=RBAC",
    "--service-cluster-ip-range=10.0.0.0/24",
    "--disable-admission-plugins=ServiceAccount",
  ];
}

function auditArgs({ audit }: ControlPlaneOptions): string[] {
  return audit === undefined
    ? []
    : [`--audit-policy-file=${audit.policyPath}`, `--audit-log-path=${audit.logPath}`];
}

/** Resolves to true if the server is ready and complete: /readyz is ok before the namespaces of every cluster exist. */
async function isReady({ serverUrl, caPath, token }: ControlPlaneAddress): Promise<boolean> {
  const ask = async (path: string): Promise<number | undefined> => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const options = { ca: readFileSync(caPath), headers: { authorization: `Bearer ${token}` }, agent: false };
    get(`${serverUrl}${path}`, options, (response) => {
      text(response).then(() => resolve(response.statusCode), reject);
    }).once("error", reject);
    return promise;
  };
  return (await ask("/readyz")) === 200 && (await ask("/api/v1/namespaces/kube-system")) === 200;
}
