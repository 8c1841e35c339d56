import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";

/** Returns the version of this package. */
export function readVersion(): string {
  const manifest = findPackageJSON(import.meta.url);
  const { version }: { version?: string } = manifest ? JSON.parse(readFileSync(manifest, "utf8")) : {};
  return version ?? "unknown";
}
