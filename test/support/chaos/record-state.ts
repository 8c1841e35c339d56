import { BACKEND_SUBSCRIPTION, INGESTER_SUBSCRIPTION, TOPICS } from "../../../src/event/topics.ts";
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
  const admin = `${adminUrl}/admin/v2/persistent`;
  await record("events", async () => {
    const { partitions }: PartitionedStats = await fetchJson(
      `${admin}/${busTenant}/${TOPICS.events}/partitioned-stats?getPreciseBacklog=true&perPartition=true`,
    );
    return Object.entries(partitions).map(([topic, stats]) => ({
      partition: topic.slice(-1),
      ...summarize(stats, INGESTER_SUBSCRIPTION),
    }));
  });
  await record("replies", async () => {
    const topics: readonly string[] = await fetchJson(`${admin}/${busTenant}/replies`);
    return await Promise.all(
      topics.map(async (name) => {
        const topic = name.slice(name.lastIndexOf("/") + 1);
        const stats: TopicStats = await fetchJson(
          `${admin}/${busTenant}/replies/${topic}/stats?getPreciseBacklog=true`,
        );
        return { topic, ...summarize(stats, BACKEND_SUBSCRIPTION) };
      }),
    );
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

async function fetchJson<T>(url: string): Promise<T> {
  const response = await fetch(url);
  return JSON.parse(await response.text());
}

/** Returns the figures of a subscription and of its consumers. */
function summarize({ subscriptions }: TopicStats, subscription: string): object {
  const found = subscriptions[subscription];
  const consumers = found?.consumers.map(({ unackedMessages, availablePermits }) => ({
    ...{ unackedMessages, availablePermits },
  }));
  const { msgBacklog, msgInReplay, unackedMessages, msgOutCounter } = found ?? {};
  return { msgBacklog, msgInReplay, unackedMessages, msgOutCounter, consumers };
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
