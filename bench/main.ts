import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { agentMemory } from "./benchmarks/agent-memory.ts";
import { changeLatency } from "./benchmarks/change-latency.ts";
import { contentCheck } from "./benchmarks/content-check.ts";
import { fleet } from "./benchmarks/fleet.ts";
import { flood } from "./benchmarks/flood.ts";
import { ingestRate } from "./benchmarks/ingest-rate.ts";
import { initialSync } from "./benchmarks/initial-sync.ts";
import { inventory } from "./benchmarks/inventory.ts";
import { isolation } from "./benchmarks/isolation.ts";
import { metadataList } from "./benchmarks/metadata-list.ts";
import { objectFillfactor, objectPartitions, objectVacuum } from "./benchmarks/object-table.ts";
import { publishRate } from "./benchmarks/publish-rate.ts";
import { soak } from "./benchmarks/soak.ts";
import { createWorld, type World } from "./support/world.ts";

const { positionals: names, values } = parseArgs({
  allowPositionals: true,
  options: {
    /** Duration of the soak. */
    minutes: { type: "string", default: "10" },
    /** Changes per second of the fleet, for machines on which the others do not fit. */
    changes: { type: "string", default: "500" },
  },
});
const benchmarks = new Map<string, (world: World) => Promise<void>>([
  ["initial-sync", initialSync],
  ["change-latency", changeLatency],
  ["agent-memory", agentMemory],
  ["metadata-list", metadataList],
  ["inventory", inventory],
  ["publish-rate", publishRate],
  ["ingest-rate", ingestRate],
  ["content-check", contentCheck],
  ["flood", flood],
  ["isolation", isolation],
  ["fleet", (world) => fleet(world, changes)],
  ["soak", (world) => soak(world, minutes)],
  ["object-partitions", objectPartitions],
  ["object-fillfactor", objectFillfactor],
  ["object-vacuum", objectVacuum],
]);

const unknown = names.filter((name) => !benchmarks.has(name));
if (unknown.length > 0) {
  throw new Error(`no benchmark ${unknown.join(", ")}; there are ${[...benchmarks.keys()].join(", ")}`);
}
const [minutes, changes] = [toPositive("minutes"), toPositive("changes")];
await using world = await createWorld();
const cores = `${cpus().length} cores (${cpus()[0]?.model.trim()})`;
console.log(`${cores}, Node ${process.version}, ${world.postgres}`);
for (const [name, run] of benchmarks) {
  if (names.length === 0 || names.includes(name)) {
    console.log(`\n${name}`);
    await run(world);
  }
}

function toPositive(option: keyof typeof values): number {
  const value = Number(values[option]);
  if (!(value > 0)) {
    throw new Error(`--${option}: expected a number above 0, found "${values[option]}"`);
  }
  return value;
}
