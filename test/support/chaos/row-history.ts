import type pg from "pg";
import { query } from "../../../deploy/local/components/postgres-server.ts";

/** The end of an object in the rows: its row was deleted, became a tombstone, or shows another object. */
export interface Removal {
  /** Resource type, such as "configmaps". */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Time in the transaction that removed it. */
  readonly at: Date;
}

/**
 * Records each write of a row. The trigger runs in the transaction of the write, so the history is restored with the
 * rows.
 */
const RECORD_HISTORY = `
CREATE TABLE row_history (
  id bigserial PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  account text NOT NULL,
  cluster text NOT NULL,
  resource text NOT NULL,
  namespace text NOT NULL,
  name text NOT NULL,
  old_uid text,
  new_uid text,
  observed_version numeric,
  incarnation bigint
);
CREATE FUNCTION record_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  key kubernetes_object;
BEGIN
  key := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
  INSERT INTO row_history (account, cluster, resource, namespace, name, old_uid, new_uid, observed_version, incarnation)
  VALUES (
    key.account, key.cluster, concat_ws('.', key.resource, nullif(key.api_group, '')), key.namespace, key.name,
    CASE WHEN TG_OP <> 'INSERT' AND OLD.state <> 'absent' THEN OLD.uid END,
    CASE WHEN TG_OP <> 'DELETE' AND NEW.state <> 'absent' THEN NEW.uid END,
    CASE WHEN TG_OP <> 'DELETE' THEN NEW.observed_version END,
    CASE WHEN TG_OP <> 'DELETE' THEN NEW.incarnation END
  );
  RETURN NULL;
END $$;
CREATE TRIGGER record_history AFTER INSERT OR UPDATE OR DELETE ON kubernetes_object
  FOR EACH ROW EXECUTE FUNCTION record_history()`;

/** Creates the history of a migrated database. */
export async function recordRowHistory(databaseUrl: string): Promise<void> {
  await query(databaseUrl, RECORD_HISTORY);
}

/** Returns the removals of an account, in their order. */
export async function readRemovals(client: pg.Client, account: string): Promise<readonly Removal[]> {
  const { rows } = await client.query<Removal>(
    `SELECT resource, namespace, name, old_uid AS uid, at FROM row_history
     WHERE account = $1 AND old_uid IS NOT NULL AND new_uid IS DISTINCT FROM old_uid ORDER BY id`,
    [account],
  );
  return rows;
}

/**
 * Returns "namespace/name: lower after higher" for each write whose observed version is below an earlier one of the same
 * object and incarnation, also if the row was deleted in between.
 */
export async function findVersionDecreases(client: pg.Client, account: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ text: string }>(
    `SELECT format('%s %s/%s: %s after %s', resource, namespace, name, observed_version, highest) AS text
     FROM (
       SELECT *, max(observed_version) OVER (
         PARTITION BY cluster, resource, namespace, name, incarnation ORDER BY id
         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
       ) AS highest
       FROM row_history WHERE account = $1
     ) AS history
     WHERE observed_version < highest ORDER BY id`,
    [account],
  );
  return rows.map(({ text }) => text);
}
