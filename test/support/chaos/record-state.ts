import { INGESTER_SUBSCRIPTION, TOPICS } from "../../../src/event/topics.ts";
import { toMessage } from "../../../src/lib/errors.ts";
import { withClient } from "../postgres/with-client.ts";
import { testRecord } from "../vitest/test-record.ts";

/** The servers of a failed scenario. */
export interface FailedScenario {
  readonly databaseUrl: string;
  readonly adminUrl: string;
  readonly busTenant: string;
}

interface PartitionedStats {
  readonly partitions: Readonly<Record<string, TopicStats>>;
}

interface TopicStats {
  readonly subscriptions: Readonly<Record<string, SubscriptionStats>>;
}

interface SubscriptionStats {
  readonly msgBacklog: number;
  readonly msgInReplay: number;
  readonly unackedMessages: number;
  readonly msgOutCounter: number;
  readonly consumers: readonly { readonly unackedMessages: number; readonly availablePermits: number }[];
}

/** Records what the servers know when a scenario fails: backlogs and consumers, the newest runs, and open transactions. */
export async function recordState({ databaseUrl, adminUrl, busTenant }: FailedScenario): Promise<void> {
  const stats = `${adminUrl}/admin/v2/persistent/${busTenant}/${TOPICS.events}/partitioned-stats`;
  await record("events", async () => {
    const response = await fetch(`${stats}?getPreciseBacklog=true&perPartition=true`);
    const { partitions }: PartitionedStats = JSON.parse(await response.text());
    return Object.entries(partitions).map(([topic, { subscriptions }]) => {
      const found = subscriptions[INGESTER_SUBSCRIPTION];
      const consumers = found?.consumers.map(({ unackedMessages, availablePermits }) => ({
        ...{ unackedMessages, availablePermits },
      }));
      const { msgBacklog, msgInReplay, unackedMessages, msgOutCounter } = found ?? {};
      const partition = topic.slice(-1);
      return { partition, msgBacklog, msgInReplay, unackedMessages, msgOutCounter, consumers };
    });
  });
  await record("runs", () =>
    select(
      databaseUrl,
      `SELECT account, id, trigger, state, attempt, started_at, answered_at, deadline_at, ended_at, failure_reason
       FROM reconciliation_run ORDER BY started_at DESC LIMIT 6`,
    ),
  );
  await record("transactions", () =>
    select(
      databaseUrl,
      `SELECT pid, state, wait_event_type, wait_event, clock_timestamp() - state_change AS since, left(query, 100) AS query
       FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    ),
  );
}

/** The state is the last help: a server that does not answer must not hide the failure. */
async function record(name: string, read: () => Promise<readonly unknown[]>): Promise<void> {
  try {
    for (const entry of await read()) {
      testRecord.add(`${name}: ${JSON.stringify(entry)}`);
    }
  } catch (error) {
    testRecord.add(`${name}: not read: ${toMessage(error)}`);
  }
}

async function select(databaseUrl: string, statement: string): Promise<readonly unknown[]> {
  const config = { connectionString: databaseUrl, query_timeout: 10_000 };
  return await withClient(config, async (client) => (await client.query(statement)).rows);
}
