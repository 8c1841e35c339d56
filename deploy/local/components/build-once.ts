import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Makes a directory of the cache unless it is there: `build` fills one beside it, which becomes the wanted one when
 * it is complete, so that nobody sees half of it. Two processes that want to build at once take turns.
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

/** Takes a lock file, which names its holder; one whose holder has died is taken over. */
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
