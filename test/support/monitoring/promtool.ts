import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe } from "vitest";
import { buildOnce } from "../../../deploy/local/components/build-once.ts";
import { cacheDirectory } from "../../../deploy/local/components/cache-directory.ts";
import type { Missing } from "../../../deploy/local/components/missing.ts";

const execute = promisify(execFile);

/** Time limit of the download: 19 MB, and the lists of packages if the machine has none. */
const DOWNLOAD_MS = 300_000;

/** Runs promtool, and returns its output. Rejects with it if promtool fails. */
export type Promtool = (args: readonly string[], input?: string) => Promise<string>;

/**
 * `describe` for tests with the real promtool: the machine's, or that of the package `prometheus` of Debian and Ubuntu,
 * which is downloaded once and not installed. Building it would take minutes: it contains the service discovery of all
 * clouds. Without both the tests are skipped, and the name has the reason.
 */
export function describeWithPromtool(name: string, body: (promtool: Promtool) => void): void {
  const source = findPromtool();
  if ("missing" in source) {
    describe.skip(`${name} (skipped: ${source.missing})`, () => body(async () => ""));
    return;
  }
  describe(name, () => {
    beforeAll(source.provide, DOWNLOAD_MS);
    body(async (args, input = "") => {
      const running = execute(source.command, [...args]);
      running.child.stdin?.end(input);
      const { stdout, stderr } = await running;
      return `${stdout}${stderr}`;
    });
  });
}

interface PromtoolSource {
  readonly command: string;
  provide(): Promise<void>;
}

function findPromtool(): PromtoolSource | Missing {
  if (spawnSync("promtool", ["--version"]).status === 0) {
    return { command: "promtool", provide: async () => {} };
  }
  const directory = join(cacheDirectory(), "promtool");
  const command = join(directory, "promtool");
  const isDownloadable = ["apt-get", "dpkg-deb"].every((name) => spawnSync(name, ["--version"]).status === 0);
  if (existsSync(command) || isDownloadable) {
    return { command, provide: () => buildOnce(directory, download) };
  }
  return { missing: "no promtool on the PATH; install Prometheus" };
}

/** Downloads the package and keeps one file of it. The lists of the machine may be absent or too old. */
async function download(directory: string): Promise<void> {
  const work = join(directory, "work");
  const own = ["-o", `Dir::State::lists=${join(work, "lists")}`, "-o", `Dir::Cache=${work}`];
  mkdirSync(join(work, "lists", "partial"), { recursive: true });
  await aptGet(work, ["download", "prometheus"]).catch(async () => {
    await aptGet(work, [...own, "-qq", "update"]);
    await aptGet(work, [...own, "download", "prometheus"]);
  });
  await execute("sh", ["-c", "dpkg-deb --extract prometheus_*.deb package"], { cwd: work });
  renameSync(join(work, "package/usr/bin/promtool"), join(directory, "promtool"));
  rmSync(work, { recursive: true });
}

async function aptGet(cwd: string, args: readonly string[]): Promise<void> {
  await execute("apt-get", [...args], { cwd });
}
