import type { Database } from "../store/postgres/database.ts";
import type { ReadinessCheck } from "../telemetry/serve-probes.ts";

/** Whether Postgres answers. */
export function checkDatabase(database: Database): ReadinessCheck {
  return {
    name: "database",
    async check() {
      await database.pool.query("SELECT 1");
    },
  };
}
