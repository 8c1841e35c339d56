import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Where the tests keep what is costly to make, outside the tree: `$EVENKEEL_CACHE_DIR`, else
 * `$XDG_CACHE_HOME/evenkeel`, else `~/.cache/evenkeel`. It is safe to delete between runs.
 */
export function cacheDirectory(): string {
  const { EVENKEEL_CACHE_DIR: own, XDG_CACHE_HOME: xdg } = process.env;
  const directory = own || (xdg ? join(xdg, "evenkeel") : join(homedir(), ".cache", "evenkeel"));
  mkdirSync(directory, { recursive: true });
  return directory;
}
