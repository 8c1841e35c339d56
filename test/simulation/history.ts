import type pg from "pg";
import { WRITE_ANNOTATION } from "./truth.ts";

/** A change of a row of `kubernetes_object`. */
export interface RowEvent {
  readonly type: "row";
  readonly at: number;
  /** Transaction of the event. */
  readonly tx: string;
  readonly account: string;
  readonly cluster: string;
  readonly resource: string;
  readonly key: string;
  /** State of the row: `present`, `absent` or `quarantined`; undefined: the row was deleted. */
  readonly row: string | undefined;
  /** State of the object, as in the truth: uid and number of the write. */
  readonly state: string;
  readonly before: string | undefined;
  /** Uid that the row had before; that of a new row. */
  readonly uid: string;
  readonly incarnation: number;
  readonly observed: number;
  /** True if a program of the product wrote it, and not a person. */
  readonly isIngester: boolean;
}

/** The moment at which a resource type became verified, with all its rows. */
export interface VerifiedEvent {
  readonly type: "verified";
  readonly at: number;
  readonly account: string;
  readonly cluster: string;
  readonly resource: string;
  /** Transaction of the event. */
  readonly tx: string;
  /** Time as of which it is verified, in milliseconds since the start of the simulation. */
  readonly asOf: number;
  /** States of the objects of the present rows, by key. */
  readonly rows: Readonly<Record<string, string>>;
}

/** The database became an earlier copy of itself. */
export interface RestoredEvent {
  readonly type: "restored";
  readonly at: number;
}

/** Differences that a dry run found. */
export interface JudgedEvent {
  readonly type: "judged";
  readonly at: number;
  /** Transaction of the event. */
  readonly tx: string;
  readonly account: string;
  readonly cluster: string;
}

export type HistoryEvent = RowEvent | VerifiedEvent | JudgedEvent | RestoredEvent;

/** SQL of the resource type of a row, as `resourceTypeKey` writes it. */
export const RESOURCE = (row: string): string =>
  `${row}.resource || CASE WHEN ${row}.api_group = '' THEN '' ELSE '.' || ${row}.api_group END`;

/** SQL of the state of the object of a row, as the truth has it. */
export const STATE = (row: string): string =>
  `${row}.uid || ' ' || COALESCE(${row}.content #>> '{metadata,annotations,${WRITE_ANNOTATION}}', '')
   || COALESCE(' ' || (${row}.content #>> '{spec,write}'), '')`;

/** SQL of a time, in milliseconds since 1970. */
export const MS = (time: string): string => `round(extract(epoch FROM ${time}) * 1000)`;

const NOW = MS("clock_timestamp()");
const TRANSACTION = "pg_current_xact_id()::text::bigint";

export const HISTORY_TABLE = "simulation_history";

/** Triggers that record every change of a row and every verdict, inside the transactions that make them. */
export const CREATE_HISTORY = `
CREATE TABLE simulation_history (
  seq BIGSERIAL PRIMARY KEY, type TEXT NOT NULL, at FLOAT8 NOT NULL, tx BIGINT NOT NULL,
  account TEXT, cluster TEXT, resource TEXT, key TEXT,
  row TEXT, state TEXT, before TEXT, uid TEXT, incarnation FLOAT8, observed FLOAT8, is_ingester BOOLEAN,
  as_of FLOAT8, rows JSONB);

${["INSERT", "UPDATE", "DELETE"].map(toRowTrigger).join("")}
CREATE FUNCTION record_verdict() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO simulation_history (type, at, tx, account, cluster, resource, as_of, rows)
  VALUES ('verified', ${NOW}, ${TRANSACTION}, NEW.account, NEW.cluster, ${RESOURCE("NEW")}, ${MS("NEW.verified_at")},
    COALESCE((
      SELECT jsonb_object_agg(o.namespace || '/' || o.name, ${STATE("o")}) FROM kubernetes_object o
      WHERE o.account = NEW.account AND o.cluster = NEW.cluster AND o.api_group = NEW.api_group
        AND o.resource = NEW.resource AND o.state <> 'absent'), '{}'));
  RETURN NULL;
END $$;
CREATE TRIGGER record_verdict AFTER UPDATE OF verified_at ON resource_state
  FOR EACH ROW WHEN (NEW.verified_at IS NOT NULL AND NEW.verified_at IS DISTINCT FROM OLD.verified_at)
  EXECUTE FUNCTION record_verdict();

CREATE FUNCTION record_judgment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO simulation_history (type, at, tx, account, cluster)
  SELECT DISTINCT 'judged', ${NOW}, ${TRANSACTION}, account, cluster FROM judged;
  RETURN NULL;
END $$;
CREATE TRIGGER record_judgment AFTER INSERT ON dry_run_finding
  REFERENCING NEW TABLE AS judged FOR EACH STATEMENT EXECUTE FUNCTION record_judgment();`;

/** Returns a trigger for one operation. Plain columns and no copies of rows: it runs for every row. */
function toRowTrigger(operation: string): string {
  const row = operation === "DELETE" ? "OLD" : "NEW";
  const before = operation === "INSERT" ? "NEW" : "OLD";
  const name = `record_${operation.toLowerCase()}`;
  return `
CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO simulation_history
    (type, at, tx, account, cluster, resource, key, row, state, before, uid, incarnation, observed, is_ingester)
  VALUES ('row', ${NOW}, ${TRANSACTION}, ${row}.account, ${row}.cluster, ${RESOURCE(row)}, ${row}.namespace || '/' || ${row}.name,
    ${operation === "DELETE" ? "NULL" : "NEW.state"}, ${STATE(row)}, ${operation === "INSERT" ? "NULL" : "OLD.state"},
    ${before}.uid, ${row}.incarnation, ${row}.observed_version, current_setting('evenkeel.writer', true) = 'ingester');
  RETURN NULL;
END $$;
CREATE TRIGGER ${name} AFTER ${operation} ON kubernetes_object FOR EACH ROW EXECUTE FUNCTION ${name}();
`;
}

/** SQL that records that the database became an earlier copy of itself. */
export const RECORD_RESTORE = `INSERT INTO simulation_history (type, at, tx) VALUES ('restored', ${NOW}, ${TRANSACTION})`;

/** Returns the history in the order of the transactions. `start` is the time of the database at its beginning. */
export async function readHistory(pool: pg.Pool, start: number): Promise<HistoryEvent[]> {
  const { rows } = await pool.query<Record<string, unknown>>(
    `SELECT type, at - $1 AS at, tx, account, cluster, resource, key, row, state, before, uid, incarnation, observed,
       is_ingester AS "isIngester", as_of - $1 AS "asOf", rows FROM simulation_history ORDER BY seq`,
    [start],
  );
  return rows.map(
    (event) =>
      ({
        ...event,
        row: event["row"] ?? undefined,
        before: event["before"] ?? undefined,
      }) as unknown as HistoryEvent,
  );
}
