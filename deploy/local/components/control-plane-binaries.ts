import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildOnce } from "./build-once.ts";
import { cacheDirectory } from "./cache-directory.ts";
import type { Missing } from "./missing.ts";

/** Programs of a Kubernetes control plane. */
export interface ControlPlaneBinaries {
  readonly etcd: string;
  readonly kubeApiserver: string;
}

const moduleFiles = ["go.mod", "go.sum", "tools.go"];
const moduleDirectory = fileURLToPath(new URL("control-plane/", import.meta.url));

/** Returns the programs if they are built or can be built: needs only the cache or Go. Cheap. */
export function findControlPlaneBinaries(): ControlPlaneBinaries | Missing {
  const binaries = toBinaries(buildDirectory());
  if (existsSync(binaries.kubeApiserver) || spawnSync("go", ["version"]).status === 0) {
    return binaries;
  }
  return {
    missing:
      "no kube-apiserver: it is built from Go modules, but go is not on the PATH; install Go 1.24 or newer",
  };
}

/**
 * Builds kube-apiserver and etcd from the modules that `control-plane/go.mod` pins, unless they are in the cache. Once
 * per machine, in about five minutes. A lock serializes concurrent builds.
 */
export async function buildControlPlane(): Promise<ControlPlaneBinaries> {
  const directory = buildDirectory();
  await buildOnce(directory, async (unfinished) => {
    process.stderr.write("building kube-apiserver and etcd for the tests, once: about five minutes\n");
    await build(unfinished);
  });
  return toBinaries(directory);
}

/** Returns the directory of the build. The build is a function of these two files. */
function buildDirectory(): string {
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum"]) {
    hash.update(readFileSync(join(moduleDirectory, file)));
  }
  return join(cacheDirectory(), `control-plane-${hash.digest("hex").slice(0, 16)}`);
}

function toBinaries(directory: string): ControlPlaneBinaries {
  // Go names a program after its directory. The directory of etcd is called server.
  return { etcd: join(directory, "server"), kubeApiserver: join(directory, "kube-apiserver") };
}

async function build(directory: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "evenkeel-control-plane-modules-"));
  try {
    for (const file of moduleFiles) {
      cpSync(join(moduleDirectory, file), join(work, file));
    }
    const packages = ["k8s.io/kubernetes/cmd/kube-apiserver", "go.etcd.io/etcd/server/v3"];
    const args = ["build", "-trimpath", "-ldflags=-s -w", "-o", `${directory}/`, ...packages];
    const go = spawn("go", args, {
      cwd: work,
      env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" },
      stdio: ["ignore", "inherit", "inherit"],
    });
    const [code] = await once(go, "exit");
    if (code !== 0) {
      throw new Error(`go build of the control plane: exited with ${code}; see its output above`);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
