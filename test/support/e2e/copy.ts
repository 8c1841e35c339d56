import { createHash } from "node:crypto";
import type pg from "pg";
import { canonicalize, parseExact } from "../../../src/domain/canonical-json.ts";
import { resourceTypeKey } from "../../../src/domain/resource-type.ts";
import type { KubeTransport } from "../../../src/kube/kube.ts";
import { listPages } from "../../../src/kube/list.ts";
import { ANONYMOUS_ACCOUNT } from "../../../src/rpc/auth/authenticator.ts";
import { withClient } from "../postgres/with-client.ts";

/** Rows of a cluster, and the API to compare them with. */
export interface CopyOf {
  readonly databaseUrl: string;
  /** Default: the account of callers without a token. */
  readonly account?: string;
  readonly cluster: string;
  /** The cluster's API, read without the agent. */
  readonly kube: KubeTransport;
  /** Namespace to compare; unset compares all, which needs a cluster without other changes. */
  readonly namespace?: string;
}

interface Row {
  readonly resourceKey: string;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly uid: string;
  readonly resource_version: string;
  readonly content: string | null;
  readonly checksum: Buffer | null;
}

/** Expected state of a row. */
interface Expected {
  readonly version: string;
  readonly uid: string | undefined;
  readonly resource_version: string | undefined;
  readonly content: string;
}

interface ReadResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/**
 * Compares the rows of a cluster with its objects, byte by byte in canonical form, for every resource type in
 * the scope. Returns "resource-type namespace/name: problem" for each difference. Each checksum must be that
 * of the content.
 */
export async function findDifferences(of: CopyOf): Promise<readonly string[]> {
  return await withClient({ connectionString: of.databaseUrl }, async (client) => {
    const resources = await readResources(client, of);
    if (resources.length === 0) {
      return ["the scope is empty"];
    }
    const rows = new Map((await readRows(client, of)).map((row) => [toKey(row), row]));
    const objects = new Map<string, Expected>();
    for (const resource of resources) {
      for await (const [key, object] of readObjects(of, resource)) {
        objects.set(key, object);
      }
    }
    const keys = [...new Set([...rows.keys(), ...objects.keys()])].toSorted();
    return keys.flatMap((key) => {
      const wrong = compare(rows.get(key), objects.get(key));
      return wrong === undefined ? [] : [`${key}: ${wrong}`];
    });
  });
}

/** Returns the difference of one object, or `undefined`. */
function compare(row: Row | undefined, object: Expected | undefined): string | undefined {
  if (row === undefined) {
    return "has no row";
  }
  if (object === undefined) {
    return `a row of ${row.resource_version}, and no object`;
  }
  if (row.content === null) {
    return `is ${row.state}`;
  }
  const content = canonicalize(parseExact(row.content));
  if (content !== object.content) {
    return `expected ${object.content}, found ${content}`;
  }
  for (const column of ["version", "uid", "resource_version"] as const) {
    if (row[column] !== object[column]) {
      return `expected the ${column} ${object[column]}, found ${row[column]}`;
    }
  }
  const checksum = createHash("sha256").update(content).digest();
  return row.checksum?.equals(checksum) ? undefined : "the checksum is not that of the content";
}

async function readResources(
  client: pg.Client,
  { account = ANONYMOUS_ACCOUNT, cluster }: CopyOf,
): Promise<ReadResource[]> {
  const { rows } = await client.query<ReadResource>(
    `SELECT api_group AS "group", api_version AS version, resource FROM resource_state WHERE account = $1 AND cluster = $2 ORDER BY 1, 3`,
    [account, cluster],
  );
  return rows;
}

async function readRows(
  client: pg.Client,
  { account = ANONYMOUS_ACCOUNT, cluster, namespace }: CopyOf,
): Promise<Row[]> {
  const { rows } = await client.query<Row>(
    `SELECT concat_ws('.', resource, nullif(api_group, '')) AS "resourceKey", namespace, name,
       api_version AS version, state, uid,
       resource_version, content::text, checksum
     FROM kubernetes_object
     WHERE account = $1 AND cluster = $2 AND state <> 'absent' AND ($3::text IS NULL OR namespace = $3)`,
    [account, cluster, namespace],
  );
  return rows;
}

async function* readObjects(
  { kube, namespace }: CopyOf,
  resource: ReadResource,
): AsyncGenerator<[string, Expected]> {
  const pages = listPages(AbortSignal.timeout(90_000), kube, {
    resourceType: { $typeName: "evenkeel.v1.ResourceType", ...resource },
    metadataOnly: false,
  });
  for await (const { items } of pages) {
    for (const item of items) {
      const { managedFields: _, ...metadata } = item.metadata;
      const key = toKey({
        resourceKey: resourceTypeKey(resource),
        namespace: metadata.namespace ?? "",
        name: metadata.name,
      });
      if (namespace === undefined || metadata.namespace === namespace) {
        const { uid, resourceVersion } = metadata;
        const content = canonicalize({ ...item, metadata });
        yield [key, { version: resource.version, uid, resource_version: resourceVersion, content }];
      }
    }
  }
}

function toKey({ resourceKey, namespace, name }: Pick<Row, "resourceKey" | "namespace" | "name">): string {
  return `${resourceKey} ${namespace}/${name}`;
}
