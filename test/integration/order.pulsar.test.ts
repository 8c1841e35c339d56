import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { KindScopeSchema, ScopeDeclaredSchema } from "../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { Bus, Producer } from "../../src/bus/bus.ts";
import { encodeEvent } from "../../src/bus/codec.ts";
import { openBus } from "../../src/bus/open-bus.ts";
import { INGESTER_SUBSCRIPTION, TOPICS } from "../../src/bus/topics.ts";
import { createIngester } from "../../src/ingester/ingester.ts";
import { noMetrics } from "../../src/lib/metrics.ts";
import type { Random } from "../../src/lib/random.ts";
import { createSilentLog } from "../../src/lib/silent-log.ts";
import { createSystemClock } from "../../src/lib/system-clock.ts";
import { createSystemRandom } from "../../src/lib/system-random.ts";
import { noTracer } from "../../src/lib/tracer.ts";
import { createDatabase, type Database } from "../../src/store/database.ts";
import type { IngestStore } from "../../src/store/ingest-store.ts";
import { createPgIngestStore } from "../../src/store/pg-ingest-store.ts";
import { createPgSessionStore } from "../../src/store/pg-session-store.ts";
import { describeWithBroker } from "../support/broker.ts";
import { waitFor } from "../support/e2e/wait-for.ts";
import { describeWithPostgres } from "../support/postgres.ts";
import { administer, newTenant } from "../support/pulsar-tenant.ts";
import { withSeed } from "../support/seeded.ts";
import { batch, PODS, put } from "../support/store/messages.ts";

const CLUSTERS = 50;
const BATCHES = 30;
const NAMES = 5;
const INGESTERS = 4;
const LEAVES = 4;

describeWithPostgres("ingesters that share a topic", (provided) => {
  describeWithBroker("of a real broker", (broker) => {
    const runtime = {
      clock: createSystemClock(),
      random: createSystemRandom(),
      log: createSilentLog(),
      metrics: noMetrics,
      tracer: noTracer,
    };
    let database: Database;
    let bus: Bus;
    let producer: Producer;
    let stop: AbortController;

    beforeEach(async () => {
      stop = new AbortController();
      const { webSocketUrl, adminUrl } = broker();
      const tenant = newTenant();
      const admin = administer(adminUrl, tenant);
      await admin.createTenant(stop.signal);
      await admin.createNamespace(stop.signal, "main");
      await admin.createTopic(stop.signal, TOPICS.events, 8);
      await admin.createSubscription(stop.signal, TOPICS.events, INGESTER_SUBSCRIPTION);
      database = createDatabase({ url: provided.url });
      // What the rule has let through, in the order in which it was written.
      await database.pool.query(`
        CREATE TABLE applied (id bigserial PRIMARY KEY, cluster text, name text, observed numeric);
        CREATE FUNCTION log_applied() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          INSERT INTO applied (cluster, name, observed) VALUES (NEW.cluster, NEW.name, NEW.observed_version);
          RETURN NULL;
        END $$;
        CREATE TRIGGER log_applied AFTER INSERT OR UPDATE ON kubernetes_object
        FOR EACH ROW EXECUTE FUNCTION log_applied()`);
      bus = await openBus({ url: webSocketUrl, tenant }, runtime);
      producer = await bus.createProducer(stop.signal, TOPICS.events);
    });
    afterEach(async () => {
      stop.abort();
      await bus.close();
      await database[Symbol.asyncDispose]();
    });

    /** Publishes what an agent of each cluster might say; each number of a cluster is observed at its tenfold. */
    const publishAll = async (): Promise<void> => {
      const sessions = createPgSessionStore(database, runtime.clock, runtime.random);
      const names = Array.from({ length: CLUSTERS }, (_, index) => `c${index}`);
      await Promise.all(
        names.map(async (cluster) => {
          const agent = { account: "acme", cluster, clusterUid: `uid-${cluster}`, instanceId: "a" };
          const { epoch } = await sessions.openSession(stop.signal, {
            ...agent,
            agentVersion: "test",
            replyTopic: "replies/none",
            volatileBus: false,
            runDeadlineMs: 60_000,
          });
          const say = (sequence: number, body: Event["body"]): Promise<void> => {
            const content = { sequence: BigInt(sequence), time: runtime.clock.now(), body };
            return producer.publish(stop.signal, encodeEvent({ ...agent, epoch }, content));
          };
          const scope = create(ScopeDeclaredSchema, {
            generation: 1n,
            kinds: [create(KindScopeSchema, { kind: PODS })],
          });
          await say(1, { case: "scopeDeclared", value: scope });
          for (let sequence = 2; sequence <= BATCHES + 1; sequence += 1) {
            const items = [0, 1, 2].map((offset) =>
              put(`a/${(sequence + offset) % NAMES}`, { observed: sequence * 10 }),
            );
            await say(sequence, { case: "batch", value: batch(items) });
          }
        }),
      );
    };

    /** An ingester that joins and leaves some times, and then stays; returns what it has applied. */
    const comeAndGo = async (random: Random): Promise<number> => {
      let applied = 0;
      const store = createPgIngestStore(database, runtime.clock);
      const counting: IngestStore = {
        ...store,
        async applyBatch(...args) {
          const outcome = await store.applyBatch(...args);
          applied += outcome.applied;
          return outcome;
        },
      };
      for (let leaves = 0; !stop.signal.aborted; leaves += 1) {
        const leave = new AbortController();
        const ingester = createIngester({ ...runtime, bus, store: counting });
        const running = ingester.run(AbortSignal.any([stop.signal, leave.signal]));
        const stayMs = leaves < LEAVES ? 500 + random.float() * 2_000 : 600_000;
        await runtime.clock.sleep(stop.signal, stayMs).catch(() => {});
        leave.abort();
        await running;
        await runtime.clock.sleep(stop.signal, random.float() * 300).catch(() => {});
      }
      return applied;
    };

    it("apply each cluster's events in their order, while they come and go", {
      timeout: 240_000,
    }, async () => {
      await withSeed("apply each cluster's events in their order, while they come and go", async (random) => {
        const working = Array.from({ length: INGESTERS }, () => comeAndGo(random));
        await publishAll();
        await waitFor(
          "all to be applied",
          async () => {
            const { rows } = await database.pool.query(
              "SELECT applied_sequence::int AS last FROM agent_session",
            );
            expect(rows).toEqual(Array.from({ length: CLUSTERS }, () => ({ last: BATCHES + 1 })));
          },
          { timeoutMs: 180_000, intervalMs: 200 },
        );
        stop.abort();
        const applied = await Promise.all(working);
        expect(applied.filter((count) => count > 0)).toHaveLength(INGESTERS);
        const { rows: backwards } = await database.pool.query(`
          SELECT cluster, name, observed, before
          FROM (SELECT *, lag(observed) OVER (PARTITION BY cluster, name ORDER BY id) AS before FROM applied) log
          WHERE observed < before`);
        expect(backwards).toEqual([]);
        const { rows: last } = await database.pool.query(
          "SELECT count(*)::int AS rows, min(observed_version)::int AS oldest FROM kubernetes_object",
        );
        expect(last).toEqual([{ rows: CLUSTERS * NAMES, oldest: (BATCHES - 1) * 10 }]);
      });
    });
  });
});
