import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import {
  fillLargeObjects,
  type LargeObjects,
  readLargeObjects,
} from "../../support/isolation/large-pages.ts";
import { measureLoad } from "../../support/isolation/measure-load.ts";
import { startTarget } from "../../support/isolation/target.ts";
import type { World } from "../../support/world.ts";

/** Answers whose size follows stored contents. */
export const pageCases: readonly IsolationCase[] = [
  {
    row: 4,
    attack: "pages with contents: 60 x 3.5 MB, one reader",
    bound: "a page <= 2 MiB or one row; all rows; G",
    run: (world) => measurePages(world, { rows: 60, repeats: 700_000 }, 1),
  },
  {
    row: 4,
    attack: "pages with contents: 20 x 1 MB, 8 readers at once",
    bound: "a page <= 2 MiB or one row; all rows; G",
    run: (world) => measurePages(world, { rows: 20, repeats: 200_000 }, 8),
  },
];

async function measurePages(
  world: World,
  size: Omit<LargeObjects, "cluster">,
  readers: number,
): Promise<Finding> {
  await using target = await startTarget(world);
  const large = { cluster: "large", ...size };
  await fillLargeObjects(target, large);
  const { load, value: read } = await measureLoad(target, () => readLargeObjects(target, large, readers));
  const counts = read.map(({ objects }) => objects);
  const largest = Math.max(...read.map(({ largestBytes }) => largestBytes));
  const isBounded = read.every(({ isPageBounded }) => isPageBounded);
  const pages = read.reduce((sum, { pages: each }) => sum + each, 0);
  const detail = `${counts.reduce((a, b) => a + b, 0)} rows in ${pages} pages, largest ${(largest / 1024 / 1024).toFixed(1)} MiB`;
  return { load, detail, holds: isBounded && counts.every((count) => count === large.rows) };
}
