import { create } from "@bufbuild/protobuf";
import { ResourceTypeSchema } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { KubeTransport } from "../../src/kube/kube.ts";
import { listPages } from "../../src/kube/list.ts";
import { openKube } from "../../test/support/e2e/open-kube.ts";
import { quantile } from "../support/statistics.ts";
import type { World } from "../support/world.ts";

const OBJECTS = 10_000;
const CONTENT_BYTES = 3_500;
const REPEATS = 5;

/** Compares a metadata-only list with a full one: bytes, and CPU time of this process to receive and decode them. */
export async function metadataList(world: World): Promise<void> {
  await using api = await world.startApi();
  await api.fill(OBJECTS, CONTENT_BYTES);
  using kube = openKube({ type: "server", url: api.url });
  const full = await measure(kube, false);
  const metadata = await measure(kube, true);
  console.log(`  full:          ${describe(full)}`);
  console.log(`  metadata only: ${describe(metadata)}`);
  const [bytes, cpu] = [metadata.bytes / full.bytes, metadata.cpuMs / full.cpuMs];
  console.log(`  ratio: bytes ${bytes.toFixed(2)}, CPU ${cpu.toFixed(2)}`);
}

interface ListCost {
  readonly bytes: number;
  readonly cpuMs: number;
}

async function measure(kube: KubeTransport, metadataOnly: boolean): Promise<ListCost> {
  const costs: ListCost[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    costs.push(await listOnce(kube, metadataOnly));
  }
  return {
    bytes: costs[0]?.bytes ?? 0,
    cpuMs: quantile(
      costs.map(({ cpuMs }) => cpuMs),
      0.5,
    ),
  };
}

async function listOnce(kube: KubeTransport, metadataOnly: boolean): Promise<ListCost> {
  const counted = countBytes(kube);
  const resourceType = create(ResourceTypeSchema, { version: "v1", resource: "pods" });
  const before = process.cpuUsage();
  let objects = 0;
  for await (const { items } of listPages(new AbortController().signal, counted, {
    resourceType,
    metadataOnly,
  })) {
    objects += items.length;
  }
  const { user, system } = process.cpuUsage(before);
  if (objects !== OBJECTS) {
    throw new Error(`list: expected ${OBJECTS} objects, found ${objects}`);
  }
  return { bytes: counted.bytes, cpuMs: (user + system) / 1000 };
}

function countBytes(kube: KubeTransport): KubeTransport & { readonly bytes: number } {
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    async get(signal, request) {
      const response = await kube.get(signal, request);
      const counted = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        for await (const chunk of response.body) {
          bytes += chunk.length;
          yield chunk;
        }
      };
      return { ...response, body: counted() };
    },
  };
}

function describe({ bytes, cpuMs }: ListCost): string {
  return `${(bytes / 1e6).toFixed(1)} MB, ${cpuMs.toFixed(0)} ms of CPU`;
}
