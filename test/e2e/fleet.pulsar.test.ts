import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSeededRandom, type Random } from "../../src/lib/random.ts";
import { describeWithOwnBroker } from "../support/bus/own-broker.ts";
import { churnConfigMaps } from "../support/e2e/config-map-churn.ts";
import { findDifferences } from "../support/e2e/copy.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { type Fleet, type Member, startFleet } from "../support/e2e/fleet.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { countRowsNaming } from "../support/e2e/rows.ts";
import { describeWithKube } from "../support/kube/control-plane.ts";
import { createKubeClient, type KubeClient } from "../support/kube/kube-client.ts";
import { describeWithOwnPostgres } from "../support/postgres/own-postgres.ts";
import { withSeed } from "../support/vitest/seeded.ts";

/** Two accounts, one of them with two clusters, and one cluster name in both. */
const clusters = [
  { account: "acme", cluster: "north" },
  { account: "acme", cluster: "south" },
  { account: "globex", cluster: "north" },
] as const;

/** Number of repetitions, each with another seed. */
const passes = Number(process.env["EVENKEEL_TEST_PASSES"] ?? 1);

describeWithKube("a fleet", (controlPlane) => {
  describeWithOwnPostgres("with Postgres", (postgres) => {
    // The broker checks quotas once a minute by default.
    describeWithOwnBroker(
      "and a broker",
      { settings: { backlogQuotaCheckIntervalInSeconds: 1 } },
      (broker) => {
        let programs: Programs;
        let kube: KubeClient;
        let fleet: Fleet;
        /** Readiness of the programs while there was no broker. */
        let notReady: readonly Readiness[];

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
            ...["--partitions", "4", "--backlog-quota", "1MiB"],
          );
          expect(topics.code, topics.stderr).toBe(0);
          await broker().restart(async () => {
            fleet = await startFleet({
              programs,
              databaseUrl: postgres().url,
              busArgs: ["--bus-url", webSocketUrl, "--bus-admin-url", adminUrl],
              backends: 2,
              ingesters: 2,
              clusters: clusters.map((one) => ({
                ...one,
                kubeconfigPath: controlPlane().kubeconfigPath,
                agentArgs: ["--resources", "configmaps,services", "--namespaces", namespaceOf(one)],
              })),
            });
            notReady = await eventually("the programs to say what they wait for", () =>
              Promise.all([...fleet.backends, ...fleet.ingesters].map(readiness)),
            );
          });
        }, 180_000);
        afterAll(async () => {
          fleet?.[Symbol.dispose]();
          await programs[Symbol.asyncDispose]();
        });

        const isTrue = async (): Promise<void> => {
          for (const one of clusters) {
            const of = { ...one, databaseUrl: postgres().url, kube, namespace: namespaceOf(one) };
            expect(await findDifferences(of), namespaceOf(one)).toEqual([]);
          }
        };
        /** All faults in random order, while changes continue. */
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
            // Not killed: its only bookie does not sync to disk, so acknowledged messages could be lost
            // permanently.
            () => broker().restart(() => sleep(random.float() * 2_000)),
            () => postgres().restart(() => sleep(random.float() * 2_000)),
          ];
          for (const fault of shuffle(faults, random)) {
            await fault();
            await sleep(random.float() * 2_000);
          }
        };

        it("waits for a broker that is not yet started, and reports it", async () => {
          for (const { status, text } of notReady) {
            expect(status).toBe(503);
            expect(text).toMatch(/\[\+\] database\n\[-\] bus: .*ECONNREFUSED/);
          }
          await eventually("every copy to be true", isTrue, { intervalMs: 500 });
          for (const member of [...fleet.backends, ...fleet.ingesters]) {
            expect(await readiness(member)).toEqual({
              status: 200,
              text: expect.stringMatching(/^(\[\+\] (database|bus|bus limits|clock|port)\n){4,5}$/),
            });
          }
        });

        it("shows an object above the broker's limit, with its size", async () => {
          const [one] = clusters;
          const namespace = namespaceOf(one);
          const path = `/api/v1/namespaces/${namespace}/configmaps`;
          await kube.send("POST", path, {
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: { name: "huge", namespace },
            data: { noise: incompressible(1_000_000) },
          });
          const shown = await eventually("the object to be quarantined", async () => {
            const { stdout } = await fleet.ask(
              ...["acme", "object", one.cluster, "configmaps", "huge", "--namespace", namespace],
            );
            const head = stdout.slice(0, 1_000);
            expect(head).toMatch(/quarantined/i);
            return head;
          });
          expect(shown).toMatch(
            /content of 1\d{6} bytes needs a message of \d+ bytes; the bus accepts at most 761856/,
          );
          await kube.send("DELETE", `${path}/huge`);
          await eventually("the copy to be true", isTrue);
        });

        it("keeps messages without an ingester on the broker, within a quota that refuses more", async () => {
          await Promise.all(fleet.ingesters.map(({ program }) => program.end("SIGTERM")));
          const stop = new AbortController();
          const churning = clusters.map((one, index) =>
            churnConfigMaps(stop.signal, kube, namespaceOf(one), createSeededRandom(index), 200_000),
          );
          await eventually(
            "the broker to refuse",
            async () => {
              const refused = await Promise.all(fleet.backends.map(countRefused));
              expect(refused.reduce((sum, count) => sum + count)).toBeGreaterThan(0);
            },
            { intervalMs: 200 },
          );
          await sleep(5_000);
          stop.abort();
          await Promise.all(churning);
          for (const { name, program } of [...fleet.backends, ...fleet.agents]) {
            expect(residentMebibytes(program.pid), name).toBeLessThan(400);
          }
          for (const { start } of fleet.ingesters) {
            start();
          }
          await eventually("every copy to be true", isTrue, { intervalMs: 500 });
        });

        for (let pass = 1; pass <= passes; pass += 1) {
          it(`recovers from all faults, pass ${pass} of ${passes}`, async () => {
            await withSeed("comes back from everything that fails", async (random, seed) => {
              const stop = new AbortController();
              const churning = clusters.map((one, index) =>
                churnConfigMaps(stop.signal, kube, namespaceOf(one), createSeededRandom(seed + index)),
              );
              await sleep(1_000);
              await disturb(random);
              stop.abort();
              await Promise.all(churning);
              await eventually("every copy to be true", isTrue, { timeoutMs: 120_000, intervalMs: 500 });
            });
          });
        }

        it("separates accounts: no row of one names the other", async () => {
          for (const [account, other] of [
            ["acme", "globex"],
            ["globex", "acme"],
          ] as const) {
            expect(await countRowsNaming(postgres().url, account, other)).toEqual({});
            const { stdout, code } = await fleet.ask(account, "objects", "north", "--resource", "configmaps");
            expect(code).toBe(0);
            expect(stdout).toContain(`${account}-north`);
            expect(stdout).not.toContain(other);
          }
        });

        it("stops gracefully on SIGTERM", async () => {
          const ends = await fleet.stop();
          expect(ends).toEqual(ends.map(() => ({ code: 0, signal: null })));
        });
      },
    );
  });
});

interface Readiness {
  readonly status: number;
  readonly text: string;
}

async function readiness({ probeUrl }: Member): Promise<Readiness> {
  const response = await fetch(`${probeUrl}/readyz`, { headers: { connection: "close" } });
  return { status: response.status, text: await response.text() };
}

/** Returns the number of publishes that the broker refused to a backend. */
async function countRefused({ probeUrl }: Member): Promise<number> {
  const response = await fetch(`${probeUrl}/metrics`, { headers: { connection: "close" } });
  const line = /^evenkeel_bus_publish_failures_total\{.*outcome="refused".*\} (\d+)$/m;
  return Number(line.exec(await response.text())?.[1] ?? 0);
}

function residentMebibytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** Returns random text of 91 characters, which compresses to four fifths of its length. */
function incompressible(length: number): string {
  const random = createSeededRandom(1);
  const letters = Array.from({ length: 92 }, (_, index) => String.fromCharCode(35 + index)).filter(
    (letter) => letter !== "\\",
  );
  return Array.from({ length }, () => letters[Math.floor(random.float() * letters.length)]).join("");
}

function shuffle<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, place: random.float() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
