/** Builds dist/: plain JavaScript for Node, with declarations. The package consists of dist/ and prisma/. */
import { spawnSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
if (status !== 0) {
  process.exit(status ?? 1);
}
chmodSync("dist/src/main/evenkeel.js", 0o755);
