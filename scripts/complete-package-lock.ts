/**
 * Adds the optional packages of other platforms that npm omitted to package-lock.json. npm omits packages that the
 * registry lacks at that time, and then `npm ci` refuses the lockfile with "EUSAGE Missing: ... from lock file". With
 * `--check` it changes nothing and fails if packages are missing.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface Entry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const FILE = "package-lock.json";
const lock: { packages: Record<string, Entry> } = JSON.parse(readFileSync(FILE, "utf8"));
const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
  Object.entries(entry.optionalDependencies ?? {})
    .filter(
      ([name]) =>
        !(`node_modules/${name}` in lock.packages) && !(`${path}/node_modules/${name}` in lock.packages),
    )
    .map(([name, version]) => ({ name, version, dev: entry.dev === true })),
);

if (process.argv.includes("--check")) {
  for (const { name, version } of missing) {
    console.error(`${FILE} lacks ${name}@${version}; run "node scripts/complete-package-lock.ts"`);
  }
  process.exitCode = missing.length === 0 ? 0 : 1;
} else {
  for (const { name, version, dev } of missing) {
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(dev && { dev }),
      optional: true,
      ...platformOf(name),
    };
  }
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(FILE, `${JSON.stringify(lock, undefined, 2)}\n`);
  console.log(`${FILE}: ${missing.length} optional packages added`);
}

/** Returns the platform in the name of a platform package, such as `cli-linux-arm64-musl`. */
function platformOf(name: string): Pick<Entry, "os" | "cpu" | "libc"> {
  const [, os, cpu, libc] = /(android|darwin|linux|win32)-(x64|arm64|armv7)(?:-(musl))?$/.exec(name) ?? [];
  if (os === undefined || cpu === undefined) {
    throw new Error(`${name}: no platform in the name; add it to ${FILE} manually`);
  }
  return { os: [os], cpu: [cpu === "armv7" ? "arm" : cpu], ...(libc !== undefined && { libc: [libc] }) };
}
