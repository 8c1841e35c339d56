import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Returns the directory, outside the tree, of files that take long to build: `$EVENKEEL_CACHE_DIR`, else
 * `$XDG_CACHE_HOME/evenkeel`, else `~/.cache/evenkeel`. It can be deleted between test runs.
 */
export function cacheDirectory(): string {
  const { EVENKEEL_CACHE_DIR: own, XDG_CACHE_HOME: xdg } = process.env;
  const directory = own || (xdg ? join(xdg, "evenkeel") : join(homedir(), ".cache", "evenkeel"));
  mkdirSync(directory, { recursive: true });
  return directory;
}
