import { randomUUID } from "node:crypto";
import type { BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ReconciliationState } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";
import type { DeletionStore } from "../../../src/store/deletion-store.ts";
import type { FleetStore } from "../../../src/store/fleet-store.ts";
import { createDatabase, type Database } from "../../../src/store/postgres/database.ts";
import { createPgDeletionStore } from "../../../src/store/postgres/pg-deletion-store.ts";
import { createPgFleetStore } from "../../../src/store/postgres/pg-fleet-store.ts";
import { World } from "../store/world.ts";

/** A run as {@link FleetWorld.setRun} writes it. */
export interface RunInit {
  readonly id: string;
  readonly cluster: string;
  readonly state: keyof typeof ReconciliationState;
  /** Unset in an active run. */
  readonly endTime?: Date;
}

/** The clusters of an account of its own in Postgres, and the store that reads them. */
export class FleetWorld implements AsyncDisposable {
  readonly account = `account-${randomUUID()}`;
  readonly store: FleetStore;
  readonly deletions: DeletionStore;
  readonly #database: Database;
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
    this.#database = createDatabase({ url, maxConnections: 4 });
    this.store = createPgFleetStore(this.#database, createSystemClock());
    this.deletions = createPgDeletionStore(this.#database);
  }

  /** Connects a cluster and stores these pods of it, as its agent, a backend and an ingester do. */
  async addCluster(name: string, ...pods: readonly BatchItem[]): Promise<void> {
    await using world = new World(this.#url, name, { account: this.account });
    const connectRun = await world.connect();
    await world.declare();
    if (pods.length > 0) {
      await world.apply(...pods);
    }
    // The run on connect: tests add the runs that they count.
    await this.#database.pool.query("DELETE FROM reconciliation_run WHERE account = $1 AND id = $2", [
      this.account,
      connectRun?.runId,
    ]);
  }

  /** Adds a run, or replaces an earlier state of it. */
  async setRun({ id, cluster, state, endTime }: RunInit): Promise<void> {
    await this.#database.pool.query(
      `INSERT INTO reconciliation_run
         (account, cluster, id, initiator, trigger, state, epoch, started_at, deadline_at, ended_at)
       VALUES ($1, $2, $3, 'test', 'MANUAL', $4, 1, now(), now() + interval '1 minute', $5)
       ON CONFLICT (account, cluster, id) DO UPDATE SET state = EXCLUDED.state, ended_at = EXCLUDED.ended_at`,
      [this.account, cluster, id, state, endTime],
    );
  }

  /** Adds a finding of a run: a row of a pod "a/NAME" that was missing. */
  async addFinding(cluster: string, runId: string, name: string): Promise<void> {
    await this.#database.pool.query(
      `INSERT INTO reconciliation_finding
         (account, cluster, run_id, api_group, api_version, resource, namespace, name, type, cause, detail, found_at)
       VALUES ($1, $2, $3, '', 'v1', 'pods', 'a', $4, 'MISSING_ROW', 'UNKNOWN', '', now())`,
      [this.account, cluster, runId, name],
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]();
  }
}
