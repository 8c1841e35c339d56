import type { Batch } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { findContentProblem } from "../../src/domain/check-content.ts";
import { createObjectWriter } from "../support/object-writer.ts";
import { quantile } from "../support/statistics.ts";
import { createBatch } from "../support/tenant-bus.ts";
import type { World } from "../support/world.ts";

const OBJECTS = 500;
const ROUNDS = 40;
const CONTENT_BYTES = 3_500;

/** Measures the check of contents as a share of the time in which the store checks and writes the same batch. */
export async function contentCheck(world: World): Promise<void> {
  await using writer = createObjectWriter(await world.createDatabase());
  await writer.open(["c0"]);
  const checks: number[] = [];
  const writes: number[] = [];
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const batch = createBatch(0, OBJECTS, CONTENT_BYTES, round + 1);
    const started = performance.now();
    bytes = checkContents(batch);
    const checked = performance.now();
    await writer.apply("c0", batch);
    checks.push(checked - started);
    writes.push(performance.now() - checked);
  }
  const [check, write] = [quantile(checks, 0.5), quantile(writes, 0.5)];
  console.log(
    `  check: ${((check * 1000) / OBJECTS).toFixed(1)} us an object, ${(bytes / check / 1000).toFixed(0)} MB/s`,
  );
  console.log(`  write: ${((write * 1000) / OBJECTS).toFixed(1)} us an object, with the check`);
  console.log(`  ratio: ${(check / write).toFixed(3)}`);
}

/** Returns the bytes of the checked contents. */
function checkContents({ items }: Batch): number {
  let bytes = 0;
  for (const { message } of items) {
    if (message.case === "putObject") {
      const { ref, uid, content } = message.value;
      const { namespace = "", name = "" } = ref ?? {};
      const problem = findContentProblem(content, { namespace, name, uid });
      if (problem !== undefined) {
        throw new Error(problem);
      }
      bytes += content.byteLength;
    }
  }
  return bytes;
}
