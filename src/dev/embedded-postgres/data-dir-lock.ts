import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../lib/errors.ts";

/**
 * Locks a data directory for this process, because two embedded databases on one directory lose rows. It takes over the
 * lock of a process that no longer exists.
 *
 * @throws ConfigError that names the process that holds the lock
 */
export function lockDataDir(dataDir: string): Disposable {
  const file = join(dataDir, "evenkeel.lock");
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const descriptor = openSync(file, "wx");
      writeSync(descriptor, `${process.pid}\n`);
      closeSync(descriptor);
      return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw new ConfigError(`data directory ${dataDir}: cannot be locked`, { cause: error });
      }
    }
    const owner = Number.parseInt(readFileSync(file, "utf8"), 10);
    if (isAlive(owner)) {
      throw new ConfigError(
        `data directory ${dataDir}: in use by process ${owner}; stop it or choose another directory`,
      );
    }
    rmSync(file, { force: true });
  }
  throw new ConfigError(`data directory ${dataDir}: another process locks it; choose another directory`);
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) {
    return false;
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
