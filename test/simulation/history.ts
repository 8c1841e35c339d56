import type pg from "pg";
import { WRITE_ANNOTATION } from "./truth.ts";

/** A change of a row of `kubernetes_object`. */
export interface RowEvent {
  readonly type: "row";
  readonly seq: number;
  readonly at: number;
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
  readonly seq: number;
  readonly at: number;
  readonly account: string;
  readonly cluster: string;
  readonly resource: string;
  /** Time as of which it is verified, in milliseconds since the start of the simulation. */
  readonly asOf: number;
  /** States of the objects of the present rows, by key. */
  readonly rows: Readonly<Record<string, string>>;
}

export type HistoryEvent = RowEvent | VerifiedEvent;

/** SQL of the resource type of a row, as `resourceTypeKey` writes it. */
export const RESOURCE = (row: string): string =>
  `${row}.resource || CASE WHEN ${row}.api_group = '' THEN '' ELSE '.' || ${row}.api_group END`;

/** SQL of the state of the object of a row, as the truth has it. */
export const STATE = (row: string): string =>
  `${row}.uid || ' ' || COALESCE(${row}.content #>> '{metadata,annotations,${WRITE_ANNOTATION}}', '')`;

/** SQL of a time, in milliseconds since 1970. */
export const MS = (time: string): string => `round(extract(epoch FROM ${time}) * 1000)`;

/** Triggers that record every change of a row and every verdict, inside the transactions that make them. */
export const CREATE_HISTORY = `
CREATE TABLE simulation_history (
  seq BIGSERIAL PRIMARY KEY, event JSONB NOT NULL);

CREATE FUNCTION record_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  r kubernetes_object := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
  INSERT INTO simulation_history (event) VALUES (jsonb_build_object(
    'type', 'row', 'at', ${MS("clock_timestamp()")}, 'account', r.account, 'cluster', r.cluster, 'resource', ${RESOURCE("r")},
    'key', r.namespace || '/' || r.name,
    'row', CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE r.state END,
    'state', ${STATE("r")},
    'before', CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE OLD.state END,
    'uid', CASE WHEN TG_OP = 'INSERT' THEN NEW.uid ELSE OLD.uid END,
    'incarnation', r.incarnation, 'observed', r.observed_version,
    'isIngester', current_setting('evenkeel.writer', true) = 'ingester'));
  RETURN NULL;
END $$;
CREATE TRIGGER record_row AFTER INSERT OR UPDATE OR DELETE ON kubernetes_object
  FOR EACH ROW EXECUTE FUNCTION record_row();

CREATE FUNCTION record_verdict() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO simulation_history (event)
  SELECT jsonb_build_object(
    'type', 'verified', 'at', ${MS("clock_timestamp()")}, 'account', NEW.account, 'cluster', NEW.cluster, 'resource', ${RESOURCE("NEW")},
    'asOf', ${MS("NEW.verified_at")},
    'rows', COALESCE((
      SELECT jsonb_object_agg(o.namespace || '/' || o.name, ${STATE("o")}) FROM kubernetes_object o
      WHERE o.account = NEW.account AND o.cluster = NEW.cluster AND o.api_group = NEW.api_group
        AND o.resource = NEW.resource AND o.state = 'present'), '{}'));
  RETURN NULL;
END $$;
CREATE TRIGGER record_verdict AFTER UPDATE OF verified_at ON resource_state
  FOR EACH ROW WHEN (NEW.verified_at IS NOT NULL AND NEW.verified_at IS DISTINCT FROM OLD.verified_at)
  EXECUTE FUNCTION record_verdict();`;

/** Returns the history in the order of the transactions. `start` is the time of the database at its beginning. */
export async function readHistory(pool: pg.Pool, start: number): Promise<HistoryEvent[]> {
  const { rows } = await pool.query<{ seq: string; event: Record<string, unknown> }>(
    "SELECT seq, event FROM simulation_history ORDER BY seq",
  );
  return rows.map(({ seq, event }) => {
    const at = Number(event["at"]) - start;
    const row = event["row"] ?? undefined;
    const before = event["before"] ?? undefined;
    const asOf = Number(event["asOf"]) - start;
    return { ...event, seq: Number(seq), at, row, before, asOf } as unknown as HistoryEvent;
  });
}
