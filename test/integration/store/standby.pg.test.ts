import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { createPgFleetStore } from "../../../src/store/postgres/pg-fleet-store.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { World } from "../../support/store/world.ts";

describeWithPostgres("standbys", (database) => {
  const open = (): World => new World(database.url, `cluster-${randomUUID()}`);

  const own = ({ account, cluster, epoch }: World) => ({ account, cluster, epoch });

  /** Confirms the standby once, and returns true if its cluster has no living session. */
  async function isVacant(world: World, instanceId: string): Promise<boolean> {
    const { account, cluster } = world;
    const standby = { account, cluster, instanceId, agentVersion: "test" };
    const vacant = await world.sessions.keepStandbys(world.signal, [standby]);
    return vacant.length === 1;
  }

  /** Lets a duration pass for the session, as if its backend had not confirmed it since. */
  async function silence(world: World, seconds: number): Promise<void> {
    await world.sql(
      `UPDATE agent_session SET seen_at = seen_at - interval '${seconds} s' WHERE cluster = $1 AND closed_at IS NULL`,
    );
  }

  test("R61: a second agent is held while the first one's session is open, and changes nothing", async () => {
    await using world = open();
    await world.connect("agent-1");
    const { epoch } = world;
    for (const instanceId of ["agent-2", "agent-3", "agent-2"]) {
      expect(await world.request(instanceId)).toEqual({ type: "held", activeInstanceId: "agent-1" });
    }
    expect(await world.sessions.keepSessions(world.signal, [own(world)])).toEqual([]);
    expect(await world.sql("SELECT epoch FROM cluster WHERE name = $1")).toEqual([{ epoch: String(epoch) }]);
    expect(await world.sql("SELECT state FROM reconciliation_run WHERE cluster = $1")).toEqual([
      { state: "REQUESTED" },
    ]);
  });

  test("R61: the process that has the session gets it back at once", async () => {
    await using world = open();
    await world.connect("agent-1");
    const { epoch } = world;
    expect(await world.request("agent-1")).toMatchObject({ type: "opened" });
    expect(await world.sessions.keepSessions(world.signal, [own(world)])).toEqual([
      { type: "replaced", session: { ...own(world), epoch } },
    ]);
  });

  test("R61: a closed session is vacant at once, and the first standby that asks gets it", async () => {
    await using world = open();
    await world.connect("agent-1");
    expect(await isVacant(world, "agent-2")).toBe(false);
    await world.sessions.closeSession(world.signal, own(world), false);
    expect(await isVacant(world, "agent-2")).toBe(true);
    const outcomes = await Promise.all(["agent-2", "agent-3"].map((id) => world.request(id, true)));
    expect(outcomes.map(({ type }) => type).toSorted()).toEqual(["held", "opened"]);
  });

  test("R61: a silent session is vacant after its timeout, for a standby that was there before", async () => {
    await using world = open();
    await world.connect("agent-1");
    expect(await isVacant(world, "agent-2")).toBe(false);
    await silence(world, 29);
    await world.sql("UPDATE agent_standby SET kept_since = kept_since - interval '30 s' WHERE cluster = $1");
    expect(await isVacant(world, "agent-2")).toBe(false);
    expect(await world.request("agent-2", true)).toMatchObject({ type: "held" });
    await silence(world, 2);
    expect(await world.request("agent-9")).toMatchObject({ type: "held" });
    expect(await isVacant(world, "agent-2")).toBe(true);
    expect(await world.request("agent-2", true)).toMatchObject({ type: "opened" });
  });

  test("R61: after an outage of the database, its backend has time to confirm a session", async () => {
    await using world = open();
    await world.connect("agent-1");
    await isVacant(world, "agent-2");
    // For a minute, no backend could confirm anything.
    await silence(world, 60);
    await world.sql(
      `UPDATE agent_standby SET seen_at = seen_at - interval '60 s', kept_since = kept_since - interval '90 s'
       WHERE cluster = $1`,
    );
    expect(await isVacant(world, "agent-2")).toBe(false);
    await world.sessions.keepSessions(world.signal, [own(world)]);
    await world.sql("UPDATE agent_standby SET kept_since = kept_since - interval '30 s' WHERE cluster = $1");
    expect(await isVacant(world, "agent-2")).toBe(false);
  });

  test("R61: a session that its backend ended stays reserved for its agent for half a minute", async () => {
    await using world = open();
    await world.connect("agent-1");
    await isVacant(world, "agent-2");
    await world.sessions.closeSession(world.signal, own(world), true);
    expect(await isVacant(world, "agent-2")).toBe(false);
    expect(await world.request("agent-2", true)).toEqual({ type: "held", activeInstanceId: "agent-1" });
    await world.sql(
      "UPDATE agent_session SET reserved_until = reserved_until - interval '30 s' WHERE cluster = $1",
    );
    expect(await isVacant(world, "agent-2")).toBe(true);
    expect(await world.request("agent-2")).toMatchObject({ type: "opened" });
  });

  test("R61: the agent of a reserved session gets the next one at once", async () => {
    await using world = open();
    await world.connect("agent-1");
    await world.sessions.closeSession(world.signal, own(world), true);
    expect(await world.request("agent-1")).toMatchObject({ type: "opened" });
  });

  test("R61: standbys are counted while their backends confirm them", async () => {
    await using world = open();
    await world.connect("agent-1");
    const store = createPgFleetStore(world.database, createSystemClock());
    const counted = async () =>
      (await store.getCluster(world.signal, world.account, world.cluster))?.standbys;
    expect(await counted()).toBe(0);
    await isVacant(world, "agent-2");
    await isVacant(world, "agent-3");
    expect(await counted()).toBe(2);
    const { account, cluster } = world;
    await world.sessions.removeStandby(world.signal, { account, cluster, instanceId: "agent-3" });
    expect(await counted()).toBe(1);
    await world.sql("UPDATE agent_standby SET seen_at = seen_at - interval '31 s' WHERE cluster = $1");
    expect(await counted()).toBe(0);
    await world.runs.purge(world.signal, 30_000);
    expect(await world.sql("SELECT * FROM agent_standby WHERE cluster = $1")).toEqual([]);
    await isVacant(world, "agent-2");
    await world.sessions.closeSession(world.signal, own(world), false);
    await world.request("agent-2", true);
    expect(await counted()).toBe(0);
  });
});
