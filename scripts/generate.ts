/** Generates gen/ offline: protobuf-es messages and service descriptors, and the Prisma client. */
import { spawnSync } from "node:child_process";

run("buf", ["generate"], {});
// The generator requires Prisma's schema engine but does not use it. Any executable avoids the download.
run("prisma", ["generate"], { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath });

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): void {
  const { status, error } = spawnSync(command, args, { stdio: "inherit", env: { ...process.env, ...env } });
  if (status !== 0) {
    throw new Error(`${command} ${args.join(" ")} failed`, { cause: error });
  }
}
