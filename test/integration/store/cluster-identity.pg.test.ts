import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { createSystemRandom } from "../../../src/lib/random.ts";
import { createPgSessionStore } from "../../../src/store/postgres/pg-session-store.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { World } from "../../support/store/world.ts";

describeWithPostgres("the identity of a cluster", (database) => {
  /** Returns worlds of an account of their own. */
  function openAccount(): (cluster: string) => World {
    const account = `account-${randomUUID()}`;
    return (cluster) => new World(database.url, cluster, { account });
  }

  test("R63: one uid under two names of an account is refused, with the name that it has", async () => {
    const open = openAccount();
    await using prod1 = open("prod-1");
    await using prod9 = open("prod-9");
    await prod1.connect("agent-1", "uid-a");
    await expect(prod9.connect("agent-2", "uid-a")).rejects.toMatchObject({
      message: expect.stringMatching(
        /^cluster "prod-9": .*"prod-1".*--cluster prod-1.*admin cluster rename prod-1 prod-9/,
      ),
      info: { reason: "CLUSTER_DUPLICATE", metadata: { cluster: "prod-1" } },
    });
    expect(await prod9.sql("SELECT name FROM cluster WHERE name = $1 AND uid = 'uid-a'")).toEqual([]);
    await prod1.connect("agent-1", "uid-a");
  });

  test("R63: another account may have the same uid, and nothing of it is revealed", async () => {
    await using one = openAccount()("prod-1");
    await using other = openAccount()("prod-9");
    await one.connect("agent-1", "uid-b");
    await other.connect("agent-1", "uid-b");
  });

  test("R63: of two names that claim one uid at the same time, one is refused", async () => {
    const open = openAccount();
    for (let round = 0; round < 10; round += 1) {
      const worlds = ["a", "b", "c"].map((name) => open(`${name}-${round}`));
      const outcomes = await Promise.allSettled(
        worlds.map((world) => world.connect("agent", `uid-${round}`)),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      await Promise.all(worlds.map((world) => world[Symbol.asyncDispose]()));
    }
  });

  test("R63: the server's configuration can allow it; without it, the older name stays", async () => {
    const open = openAccount();
    await using prod1 = open("prod-1");
    await using prod9 = open("prod-9");
    await prod1.connect("agent-1", "uid-c");
    const random = createSystemRandom();
    const allowing = createPgSessionStore(prod9.database, random, { allowDuplicateClusters: true });
    await prod9.connectBy(allowing, "agent-2", "uid-c");
    await prod9.sql(
      "UPDATE cluster SET created_at = created_at + interval '1 minute' WHERE name = $1 AND uid = 'uid-c'",
    );
    await expect(prod9.connect("agent-2", "uid-c")).rejects.toMatchObject({
      info: { reason: "CLUSTER_DUPLICATE" },
    });
    await prod1.connect("agent-1", "uid-c");
  });
});
