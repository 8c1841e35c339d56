import { queryRows } from "../query-rows.ts";
import type { ObjectState } from "./messages.ts";

/** Differences between the rows of clusters and their API servers. */
export interface Differences {
  readonly compared: number;
  /** Objects without a row. */
  readonly missing: readonly string[];
  /** Rows without an object. */
  readonly surplus: readonly string[];
  /** Rows of another uid or version. */
  readonly wrong: readonly string[];
}

/** Compares the rows of an account with the objects of its clusters. */
export async function compareRows(
  databaseUrl: string,
  account: string,
  objects: ReadonlyMap<string, readonly ObjectState[]>,
): Promise<Differences> {
  const rows = await queryRows<Row>(databaseUrl, selectRows(account));
  const found = new Map(
    rows
      .filter(({ cluster }) => objects.has(cluster))
      .map(({ cluster, resource, namespace, name, identity }) => [
        toKey(cluster, resource, namespace, name),
        identity,
      ]),
  );
  const compared = found.size;
  const [missing, wrong]: [string[], string[]] = [[], []];
  for (const [cluster, states] of objects) {
    for (const [resource, namespace, name, uid, version] of states) {
      const key = toKey(cluster, resource, namespace, name);
      const identity = found.get(key);
      if (identity === undefined) {
        missing.push(key);
      } else if (identity !== `${uid} at ${version}`) {
        wrong.push(`${key}: expected ${uid} at ${version}, found ${identity}`);
      }
      found.delete(key);
    }
  }
  return { compared, missing, surplus: [...found.keys()], wrong };
}

/** True if there is no difference. */
export function isEqual({ missing, surplus, wrong }: Differences): boolean {
  return missing.length + surplus.length + wrong.length === 0;
}

/** Formats the numbers of differences, with an example of each kind. */
export function formatDifferences({ compared, missing, surplus, wrong }: Differences): string {
  const format = (kind: string, found: readonly string[]): string =>
    found.length === 0 ? `0 ${kind}` : `${found.length} ${kind} (${found[0]})`;
  const differences = [format("missing", missing), format("surplus", surplus), format("wrong", wrong)];
  return `${compared.toLocaleString("en")} rows: ${differences.join(", ")}`;
}

interface Row {
  readonly cluster: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
}

function toKey(...parts: readonly string[]): string {
  return parts.join("/");
}

const selectRows = (account: string): string => `
SELECT cluster, resource, namespace, name, uid || ' at ' || resource_version AS identity
FROM kubernetes_object WHERE account = '${account}' AND state = 'present'`;
