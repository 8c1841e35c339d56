import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Builds a directory of the cache unless it exists. `build` fills a temporary directory that is renamed when it is
 * complete, so that no process sees an incomplete one. A lock serializes concurrent builds.
 */
export async function buildOnce(
  directory: string,
  build: (directory: string) => Promise<void>,
): Promise<void> {
  if (existsSync(directory)) {
    return;
  }
  const release = await lock(`${directory}.lock`);
  try {
    if (!existsSync(directory)) {
      const unfinished = mkdtempSync(`${directory}.building-`);
      try {
        await build(unfinished);
        renameSync(unfinished, directory);
      } finally {
        rmSync(unfinished, { recursive: true, force: true });
      }
    }
  } finally {
    release();
  }
}

/** Acquires a lock file with the id of its holder. It takes over the lock of a process that no longer exists. */
async function lock(path: string): Promise<() => void> {
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw error;
      }
    }
    if (!isAlive(readHolder(path))) {
      rmSync(path, { force: true });
    } else {
      await sleep(500);
    }
  }
}

function readHolder(path: string): number | undefined {
  try {
    return Number(readFileSync(path, "utf8")) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) {
    return false;
  }
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
