import { execFile, spawnSync } from "node:child_process";
import { globSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { buildOnce } from "../../../deploy/local/components/build-once.ts";
import { cacheDirectory } from "../../../deploy/local/components/cache-directory.ts";
import type { Missing } from "../../../deploy/local/components/missing.ts";

/** Pulsar's own client for Python, with classes generated from the contract. */
export interface PythonClient {
  /** Runs `test/support/python/client.py`; returns the JSON that it prints, if any. */
  run(...args: readonly string[]): Promise<string>;
  /** Runs Python with the packages and the generated classes. */
  execute(args: readonly string[]): Promise<{ readonly stdout: string }>;
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
const execute = promisify(execFile);

const packages = [
  "pulsar-client==3.13.0",
  "grpcio-tools==1.85.1",
  "protobuf==7.36.2",
  "zstandard==0.25.0",
] as const;

/** True if Python is installed. */
export function findPython(): { readonly python: string } | Missing {
  const { status } = spawnSync("python3", ["-m", "pip", "--version"]);
  return status === 0
    ? { python: "python3" }
    : { missing: "no Python client: there is no python3 with pip on the PATH; install both" };
}

/**
 * Installs the client's packages once per machine. Generates the classes of the contract into `directory`,
 * from `proto` unless another copy is given.
 */
export async function createPythonClient(
  python: string,
  directory: string,
  proto = "proto",
): Promise<PythonClient> {
  const libraries = join(cacheDirectory(), "python-pulsar-client-3.13.0");
  await buildOnce(libraries, async (unfinished) => {
    const options = ["--quiet", "--disable-pip-version-check", "--target", unfinished];
    await execute(python, ["-m", "pip", "install", ...options, ...packages]);
  });
  mkdirSync(directory, { recursive: true });
  const env = { ...process.env, PYTHONPATH: `${libraries}:${directory}` };
  const outputs = [`--python_out=${directory}`, `--grpc_python_out=${directory}`];
  const folder = resolve(root, proto);
  const sources = globSync("{evenkeel,buf}/**/*.proto", { cwd: folder });
  await execute(python, ["-m", "grpc_tools.protoc", "-I", folder, ...outputs, ...sources], {
    cwd: root,
    env,
  });
  return {
    async run(...args) {
      const { stdout } = await execute(python, [join(root, "test/support/python/client.py"), ...args], {
        env,
      });
      // Pulsar's client logs to the same stream.
      return stdout.split("\n").find((line) => line.startsWith("{")) ?? "";
    },
    execute: (args) => execute(python, [...args], { env }),
  };
}
