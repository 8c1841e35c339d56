import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSeededRandom, type Random } from "../../src/lib/random.ts";
import { describeWithKube } from "../support/control-plane.ts";
import { churnConfigMaps } from "../support/e2e/config-map-churn.ts";
import { findDifferences } from "../support/e2e/copy.ts";
import { type Fleet, type Member, startFleet } from "../support/e2e/fleet.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { waitFor } from "../support/e2e/wait-for.ts";
import { createKubeClient, type KubeClient } from "../support/kube-client.ts";
import { describeWithOwnBroker } from "../support/own-broker.ts";
import { describeWithOwnPostgres } from "../support/own-postgres.ts";
import { withSeed } from "../support/seeded.ts";

/** Two accounts, one of them with two clusters, and one name that both have. */
const clusters = [
  { account: "acme", cluster: "north" },
  { account: "acme", cluster: "south" },
  { account: "globex", cluster: "north" },
] as const;

/** How often the whole is repeated, each time with another seed. */
const passes = Number(process.env["EVENKEEL_TEST_PASSES"] ?? 1);

describeWithKube("a fleet", (controlPlane) => {
  describeWithOwnPostgres("with Postgres", (postgres) => {
    describeWithOwnBroker("and a broker", {}, (broker) => {
      let programs: Programs;
      let kube: KubeClient;
      let fleet: Fleet;

      const namespaceOf = ({ account, cluster }: (typeof clusters)[number]): string =>
        `${account}-${cluster}`;

      beforeAll(async () => {
        programs = createPrograms();
        kube = createKubeClient(controlPlane());
        for (const one of clusters) {
          const metadata = { name: namespaceOf(one) };
          await kube.send("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata });
        }
        const { webSocketUrl, adminUrl } = broker();
        const topics = await programs.run(
          ...["admin", "topics", "--bus-url", webSocketUrl, "--bus-admin-url", adminUrl],
        );
        expect(topics.code, topics.stderr).toBe(0);
        fleet = await startFleet({
          programs,
          databaseUrl: postgres().url,
          busArgs: ["--bus-url", webSocketUrl],
          backends: 2,
          ingesters: 2,
          clusters: clusters.map((one) => ({
            ...one,
            kubeconfigPath: controlPlane().kubeconfigPath,
            agentArgs: ["--kinds", "v1/configmaps,v1/services", "--namespaces", namespaceOf(one)],
          })),
        });
      }, 120_000);
      afterAll(async () => {
        fleet?.[Symbol.dispose]();
        await programs[Symbol.asyncDispose]();
      });

      const isTrue = async (): Promise<void> => {
        for (const one of clusters) {
          const of = { ...one, databaseUrl: postgres().url, kube, namespace: namespaceOf(one) };
          expect(await findDifferences(of), `${namespaceOf(one)}\n${fleet.logs()}`).toEqual([]);
        }
      };
      /** Everything that can fail, in any order, with life going on between. */
      const disturb = async (random: Random): Promise<void> => {
        const killed =
          ({ program, start }: Member) =>
          async (): Promise<void> => {
            await program.end("SIGKILL");
            await sleep(random.float() * 1_000);
            start();
          };
        const any = (members: readonly Member[]): Member =>
          members[Math.floor(random.float() * members.length)] as Member;
        const faults = [
          killed(any(fleet.backends)),
          killed(any(fleet.ingesters)),
          killed(any(fleet.agents)),
          () => broker().restart(random.float() < 0.5 ? "stop" : "kill", () => sleep(random.float() * 2_000)),
          () => postgres().restart(() => sleep(random.float() * 2_000)),
        ];
        for (const fault of shuffle(faults, random)) {
          await fault();
          await sleep(random.float() * 2_000);
        }
      };

      for (let pass = 1; pass <= passes; pass += 1) {
        it(`comes back from everything that fails, pass ${pass} of ${passes}`, {
          timeout: 240_000,
        }, async () => {
          await withSeed("comes back from everything that fails", async (random, seed) => {
            const stop = new AbortController();
            const churning = clusters.map((one, index) =>
              churnConfigMaps(stop.signal, kube, namespaceOf(one), createSeededRandom(seed + index)),
            );
            await sleep(1_000);
            await disturb(random);
            stop.abort();
            await Promise.all(churning);
            await waitFor("every copy to be true", isTrue, { timeoutMs: 120_000, intervalMs: 500 });
          });
        });
      }

      it("keeps accounts apart: no row of one names the other", async () => {
        for (const [account, other] of [
          ["acme", "globex"],
          ["globex", "acme"],
        ] as const) {
          expect(await countRowsNaming(postgres().url, account, other)).toEqual({});
          const { stdout, code } = await fleet.ask(account, "objects", "north", "--kind", "v1/configmaps");
          expect(code).toBe(0);
          expect(stdout).toContain(`${account}-north`);
          expect(stdout).not.toContain(other);
        }
      });

      it("ends in order when it is told to", { timeout: 60_000 }, async () => {
        const ends = await fleet.stop();
        expect(ends, fleet.logs()).toEqual(ends.map(() => ({ code: 0, signal: null })));
      });
    });
  });
});

function shuffle<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, place: random.float() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** Rows of an account, by table, in which the text of another account stands. */
async function countRowsNaming(
  databaseUrl: string,
  account: string,
  other: string,
): Promise<Record<string, number>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      "SELECT DISTINCT table_name AS name FROM information_schema.columns WHERE column_name = 'account'",
    );
    const counts: Record<string, number> = {};
    for (const { name } of tables) {
      const { rows } = await client.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM ${name} t WHERE t.account = $1 AND t::text LIKE '%' || $2 || '%'`,
        [account, other],
      );
      if (rows[0] !== undefined && rows[0].count > 0) {
        counts[name] = rows[0].count;
      }
    }
    return counts;
  } finally {
    await client.end();
  }
}
