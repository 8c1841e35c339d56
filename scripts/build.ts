/** Makes dist/, which together with prisma/ is what is published: plain JavaScript for Node, with declarations. */
import { spawnSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
if (status !== 0) {
  process.exit(status ?? 1);
}
chmodSync("dist/src/main/evenkeel.js", 0o755);
