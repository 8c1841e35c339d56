import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { UncanonicalError } from "../../domain/canonical-json.ts";
import { canonicalizeJsonbText } from "../../domain/canonical-text.ts";
import { checksumOf, sameChecksum } from "../../domain/content-format.ts";
import { formatKey, type ObjectKey } from "../../domain/object-key.ts";
import { runWhole } from "../../lib/slices.ts";
import type { ScrubLimits, ScrubOutcome } from "../ingest-store.ts";
import {
  distrustRow,
  moveScrubCursor,
  type ScrubPage,
  type ScrubRow,
  selectScrubPage,
} from "../sql/scrub-rows.ts";
import { type ClusterKey, type Database, translated } from "./database.ts";
import { StatementError } from "./sql-error.ts";

/** Bounds of one query. They bound the memory, and the time for which the event loop recomputes checksums. */
const PAGE_ROWS = 100;
const PAGE_BYTES = 1024 * 1024;

const BEGINNING: ObjectKey = { namespace: "", name: "" };

/**
 * Recomputes the checksums of the next rows of a resource type, in pages. Then one transaction, under the cluster's
 * lock, clears those that do not fit and moves the cursor. A resource type without damage that the limits cover is only
 * read.
 *
 * Postgres may be unable to read a row, for example after damage of a page. The scrub ends there with the reason, and
 * the cursor stays in front of that page: the error of one row must not keep a run from its answer.
 */
export async function scrub(
  signal: AbortSignal,
  database: Database,
  cluster: ClusterKey,
  resourceType: ResourceType,
  limits: ScrubLimits,
): Promise<ScrubOutcome> {
  const { suspects, begin, end, ...read } = await readRows(signal, database, cluster, resourceType, limits);
  if (suspects.length === 0 && formatKey(begin) === formatKey(end)) {
    return { ...read, damaged: [] };
  }
  return await database.transaction(cluster, async (client) => {
    const damaged: ObjectKey[] = [];
    for (const row of suspects) {
      if (await distrustRow(client, cluster, resourceType, row)) {
        damaged.push({ namespace: row.namespace, name: row.name });
      }
    }
    await moveScrubCursor(client, cluster, resourceType, end);
    return { ...read, damaged };
  });
}

/** Rows that a scrub has read. */
interface ReadRows extends Omit<ScrubOutcome, "damaged"> {
  /** Rows whose checksums do not fit. */
  readonly suspects: readonly ScrubRow[];
  /** The cursor before and after these rows. */
  readonly begin: ObjectKey;
  readonly end: ObjectKey;
}

async function readRows(
  signal: AbortSignal,
  { pool }: Database,
  cluster: ClusterKey,
  resourceType: ResourceType,
  limits: ScrubLimits,
): Promise<ReadRows> {
  const suspects: ScrubRow[] = [];
  let [rows, bytes] = [0, 0];
  let begin: ObjectKey | undefined;
  let end: ObjectKey | undefined;
  const result = () => ({ rows, suspects, begin: begin ?? BEGINNING, end: end ?? BEGINNING });
  while (rows < limits.maxRows && bytes <= limits.maxBytes) {
    signal.throwIfAborted();
    const maxRows = Math.min(PAGE_ROWS, limits.maxRows - rows);
    const maxBytes = Math.min(PAGE_BYTES, limits.maxBytes - bytes);
    let page: ScrubPage;
    try {
      page = await translated(() => selectScrubPage(pool, cluster, resourceType, end, maxRows, maxBytes));
    } catch (error) {
      if (error instanceof StatementError) {
        return { ...result(), failure: error.message };
      }
      throw error;
    }
    begin ??= page.after;
    end = page.rows.at(-1) ?? page.after;
    suspects.push(...page.rows.filter((row) => !fitsChecksum(row)));
    const pageBytes = page.rows.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
    rows += page.rows.length;
    bytes += pageBytes;
    if (page.rows.length < maxRows && pageBytes <= maxBytes) {
      return { ...result(), end: BEGINNING };
    }
  }
  return result();
}

/** True if the checksum is that of the content's canonical form. */
function fitsChecksum({ content, checksum }: ScrubRow): boolean {
  try {
    return sameChecksum(checksumOf(Buffer.from(runWhole(canonicalizeJsonbText(content)))), checksum);
  } catch (error) {
    if (error instanceof UncanonicalError) {
      return false;
    }
    throw error;
  }
}
