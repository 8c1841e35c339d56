import { posix } from "node:path";

/** A source file: its path from the root, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Folders of src, and the folders that each may import:
 * {main, cli, dev} -> {config, backend, agent, ingester, simulation} -> {event, rpc, store, kube, telemetry} -> bus
 * -> domain -> lib. Programs never import each other. They share the contract.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  domain: ["lib"],
  bus: ["domain", "lib"],
  kube: ["domain", "lib"],
  store: ["domain", "lib"],
  rpc: ["domain", "lib"],
  event: ["bus", "domain", "lib"],
  telemetry: ["rpc", "lib"],
  config: ["bus", "domain", "lib"],
  agent: ["kube", "domain", "lib"],
  simulation: ["kube", "domain", "lib"],
  backend: ["event", "rpc", "store", "bus", "domain", "lib"],
  ingester: ["event", "store", "bus", "domain", "lib"],
  dev: ["main", "backend", "simulation", "config", "rpc", "store", "kube", "domain", "lib"],
  cli: ["main", "dev", "config", "event", "rpc", "store", "bus", "domain", "lib"],
  main: [
    ...["cli", "dev", "config", "backend", "agent", "ingester", "event"],
    ...["rpc", "store", "kube", "telemetry", "bus", "domain", "lib"],
  ],
};

/** Folders inside the agent, and those that each may import: compare -> watch -> {scope, uplink} -> root files. */
const ALLOWED_IN_AGENT: Readonly<Record<string, readonly string[]>> = {
  scope: [],
  uplink: [],
  watch: ["scope", "uplink"],
  compare: ["scope", "uplink", "watch"],
};

/** Packages and generated code that one folder alone uses, so that no vendor's type leaves its adapter. */
const OWNERS: readonly { readonly what: RegExp; readonly owner: RegExp; readonly message: string }[] = [
  { what: /^gen\/prisma\//, owner: /^src\/store\//, message: "only src/store uses Prisma" },
  { what: /^gen\//, owner: /^src\/(?!lib\/)/, message: "src/lib does not use generated code" },
  { what: /^@opentelemetry\//, owner: /^src\/telemetry\//, message: "only src/telemetry uses OpenTelemetry" },
  {
    what: /^(pulsar-client|undici)$/,
    owner: /^src\/bus\/pulsar\//,
    message: "only src/bus/pulsar uses Pulsar",
  },
  { what: /^jose(\/|$)/, owner: /^src\/rpc\/auth\//, message: "only src/rpc/auth uses jose" },
  { what: /^@kubernetes\//, owner: /^src\/kube\//, message: "only src/kube uses the Kubernetes client" },
  { what: /^@electric-sql\//, owner: /^src\/dev\//, message: "only src/dev uses PGlite" },
  { what: /^commander$/, owner: /^src\/cli\//, message: "only src/cli uses commander" },
];

const SPECIFIER = /^(?:import|export)\b[^;]*?\bfrom "([^"]+)";|^import "([^"]+)";|\bimport\("([^"]+)"\)/gm;

/** Returns a line for each import in `src` that goes against the directions. */
export function findImportViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(SPECIFIER)].flatMap(([, from, bare, dynamic]) => {
      const imported = resolve(path, from ?? bare ?? dynamic ?? "");
      const message = findViolation(path, imported);
      return message === undefined ? [] : [`${path}: imports ${imported}, but ${message}`];
    }),
  );
}

function findViolation(path: string, imported: string): string | undefined {
  const owner = OWNERS.find(({ what }) => what.test(imported));
  if (owner !== undefined && !owner.owner.test(path)) {
    return owner.message;
  }
  const [, folder = "", part = ""] = path.split("/");
  const [root, target = "", targetPart = ""] = imported.split("/");
  if (root !== "src") {
    return undefined;
  }
  if (target !== folder) {
    return isAllowed(ALLOWED, folder, target) ? undefined : `src/${folder} does not import src/${target}`;
  }
  return folder !== "agent" || part === targetPart || isAllowed(ALLOWED_IN_AGENT, part, targetPart)
    ? undefined
    : `src/agent/${part} does not import src/agent/${targetPart}`;
}

/** True if a folder may import another one. A file in place of a folder has no entry, and is not restricted. */
function isAllowed(table: typeof ALLOWED, from: string, to: string): boolean {
  return to.endsWith(".ts") || from.endsWith(".ts") || (table[from]?.includes(to) ?? false);
}

function resolve(path: string, specifier: string): string {
  return specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : specifier;
}
