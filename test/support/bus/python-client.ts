import { execFile, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { buildOnce } from "../../../deploy/local/components/build-once.ts";
import { cacheDirectory } from "../../../deploy/local/components/cache-directory.ts";
import type { Missing } from "../../../deploy/local/components/missing.ts";

/** Pulsar's own client for Python, with classes generated from the contract. */
export interface PythonClient {
  /** Runs `test/support/python/client.py`; returns the JSON that it prints, if it prints any. */
  run(...args: readonly string[]): Promise<string>;
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
const execute = promisify(execFile);

const packages = [
  "pulsar-client==3.13.0",
  "grpcio-tools==1.85.1",
  "protobuf==7.36.2",
  "zstandard==0.25.0",
] as const;

/** Whether Python is here. Cheap. */
export function findPython(): { readonly python: string } | Missing {
  const { status } = spawnSync("python3", ["-m", "pip", "--version"]);
  return status === 0
    ? { python: "python3" }
    : { missing: "no Python client: there is no python3 with pip on the PATH; install both" };
}

/** Installs the client's packages once per machine, and generates the contract's classes into `directory`. */
export async function createPythonClient(python: string, directory: string): Promise<PythonClient> {
  const libraries = join(cacheDirectory(), "python-pulsar-client-3.13.0");
  await buildOnce(libraries, async (unfinished) => {
    const options = ["--quiet", "--disable-pip-version-check", "--target", unfinished];
    await execute(python, ["-m", "pip", "install", ...options, ...packages]);
  });
  mkdirSync(directory, { recursive: true });
  const env = { ...process.env, PYTHONPATH: `${libraries}:${directory}` };
  const sources = ["event", "batch", "object", "resource", "reconciliation", "scope"].map(
    (name) => `evenkeel/v1/${name}.proto`,
  );
  await execute(
    python,
    [
      ...["-m", "grpc_tools.protoc", "-I", "proto", `--python_out=${directory}`],
      ...sources,
      "buf/validate/validate.proto",
    ],
    { cwd: root, env },
  );
  return {
    async run(...args) {
      const { stdout } = await execute(python, [join(root, "test/support/python/client.py"), ...args], {
        env,
      });
      // Pulsar's client logs on the same stream.
      return stdout.split("\n").find((line) => line.startsWith("{")) ?? "";
    },
  };
}
