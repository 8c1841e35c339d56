import type { Client } from "pg";
import { parseResourceType } from "../domain/resource-type.ts";
import type { ResourceKey } from "../simulation/served-resources.ts";

/** Type of an injected difference between the copy and the cluster. */
export type DriftType =
  | "lost-event"
  | "edited-content"
  | "deleted-row"
  | "ghost-row"
  | "absurd-version"
  | "deleted-resource-type";

/** All types of drift, in the order of injection. */
export const DRIFT_TYPES: readonly DriftType[] = [
  "lost-event",
  "edited-content",
  "deleted-row",
  "ghost-row",
  "absurd-version",
  "deleted-resource-type",
];

/** An object with a wrong, missing or ghost row. */
export interface DriftedObject {
  readonly resourceKey: ResourceKey;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
}

/** Drift that was injected. */
export interface InjectedDrift {
  readonly type: DriftType;
  readonly time: Date;
  /** One or more objects of one resource type. */
  readonly objects: readonly [DriftedObject, ...DriftedObject[]];
}

/** Cluster whose rows are broken. */
export interface DriftTarget {
  readonly account: string;
  readonly cluster: string;
}

/** Access to rows in the way of an operator with `psql`: without the ingester and the write rule. */
export interface RowEditor {
  /** Returns the objects of a resource type that have a row, by key. */
  list(resourceKey: ResourceKey): Promise<DriftedObject[]>;
  /** Changes the content and keeps the version. */
  editContent(object: DriftedObject): Promise<void>;
  deleteRow(object: DriftedObject): Promise<void>;
  /** Copies the row of an object to the key of an object that does not exist. */
  insertGhost(object: DriftedObject, ghostName: string, ghostUid: string): Promise<void>;
  /** Sets the observed version of the row to one that the cluster never reaches. */
  setAbsurdVersion(object: DriftedObject): Promise<void>;
  deleteResourceType(resourceKey: ResourceKey): Promise<void>;
}

const RESOURCE_TYPE_IS = "account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4";
const OBJECT_IS = `${RESOURCE_TYPE_IS} AND namespace = $5 AND name = $6`;
const ABSURD_VERSION = "99999999999999999999999999999999999999";

/** Creates a row editor on a connected client, which the caller closes. */
export function createRowEditor(client: Client, { account, cluster }: DriftTarget): RowEditor {
  const ofResource = (resourceKey: ResourceKey): string[] => {
    const { group = "", resource = "" } = parseResourceType(resourceKey) ?? {};
    return [account, cluster, group, resource];
  };
  const ofObject = ({ resourceKey, namespace, name }: DriftedObject): string[] => [
    ...ofResource(resourceKey),
    namespace,
    name,
  ];
  return {
    async list(resourceKey) {
      const { rows } = await client.query<{ namespace: string; name: string }>(
        `SELECT namespace, name FROM kubernetes_object
         WHERE ${RESOURCE_TYPE_IS} AND state = 'present' ORDER BY namespace, name`,
        ofResource(resourceKey),
      );
      return rows.map(({ namespace, name }) => ({ resourceKey, namespace, name }));
    },
    async editContent(object) {
      await client.query(
        `UPDATE kubernetes_object
         SET content = jsonb_set(content, '{metadata,labels}', '{"edited-by": "hand"}') WHERE ${OBJECT_IS}`,
        ofObject(object),
      );
    },
    async deleteRow(object) {
      await client.query(`DELETE FROM kubernetes_object WHERE ${OBJECT_IS}`, ofObject(object));
    },
    async insertGhost(object, ghostName, ghostUid) {
      await client.query(
        `INSERT INTO kubernetes_object (account, cluster, api_group, resource, namespace, name, api_version, state, uid,
           resource_version, observed_version, incarnation, content, content_format)
         SELECT account, cluster, api_group, resource, namespace, $7, api_version, state, $8,
           resource_version, observed_version, incarnation,
           jsonb_set(jsonb_set(content, '{metadata,name}', to_jsonb($7::text)), '{metadata,uid}', to_jsonb($8::text)),
           content_format
         FROM kubernetes_object WHERE ${OBJECT_IS}`,
        [...ofObject(object), ghostName, ghostUid],
      );
    },
    async setAbsurdVersion(object) {
      await client.query(
        `UPDATE kubernetes_object SET observed_version = ${ABSURD_VERSION} WHERE ${OBJECT_IS}`,
        ofObject(object),
      );
    },
    async deleteResourceType(resourceKey) {
      await client.query(`DELETE FROM kubernetes_object WHERE ${RESOURCE_TYPE_IS}`, ofResource(resourceKey));
    },
  };
}
