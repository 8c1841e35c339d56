import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../support/e2e/eventually.ts";
import { createOwnCluster, type OwnCluster } from "../support/e2e/own-cluster.ts";
import type { ServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { describeWithKube } from "../support/kube/control-plane.ts";
import { createCustomResource } from "../support/kube/custom-resource.ts";

const cluster = "e2e-restart";
/** Number of restarts, such as `EVENKEEL_RESTARTS=20`: each one catches the API server at another moment. */
const restarts = Number(process.env["EVENKEEL_RESTARTS"] ?? 1);

/**
 * Records each row of an object that is deleted or becomes a tombstone, and each resource type that a discovery lacks.
 */
const LOG_LOSSES = `
CREATE TABLE lost_row (operation text, name text);
CREATE TABLE undecided (name text);
CREATE FUNCTION log_lost_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'absent' AND (TG_OP = 'DELETE' OR NEW.state = 'absent') THEN
    INSERT INTO lost_row (operation, name)
    VALUES (TG_OP, concat_ws('/', OLD.api_group, OLD.resource, OLD.namespace, OLD.name));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER log_lost_row AFTER DELETE OR UPDATE ON kubernetes_object
  FOR EACH ROW EXECUTE FUNCTION log_lost_row();
CREATE FUNCTION log_undecided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO undecided (name) VALUES (concat_ws('/', NEW.api_group, NEW.resource));
  RETURN NULL;
END $$;
CREATE TRIGGER log_undecided AFTER UPDATE ON resource_state
  FOR EACH ROW WHEN (OLD.availability <> 'UNDECIDED' AND NEW.availability = 'UNDECIDED')
  EXECUTE FUNCTION log_undecided()`;

describeWithKube("a cluster whose API server and agent restart together", () => {
  let own: OwnCluster;
  let fleet: ServerAndAgent;

  /** Stops and starts both; the agent asks before the API server listens. Returns the time of the agent's start. */
  async function restartTogether(): Promise<Date> {
    const ended = fleet.agent.end("SIGTERM");
    let begun = new Date();
    await own.controlPlane.restartApiServer(async () => {
      await ended;
      begun = new Date();
      const agent = fleet.startAgent();
      const asks = () => expect(agent.stderr()).toContain("reading the cluster's uid failed");
      await eventually("the agent to ask", asks, { intervalMs: 5 });
    });
    return begun;
  }

  /**
   * Restarts the agent, and the API server during the first discovery: the agent is frozen until the API server listens
   * again. That answers with a part of its groups. Returns the time of the agent's start.
   */
  async function restartDuringDiscovery(): Promise<Date> {
    await fleet.agent.end("SIGKILL");
    const begun = new Date();
    const agent = fleet.startAgent();
    const isWelcome = () => expect(agent.stderr()).toContain("session opened");
    await eventually("the agent to begin its discovery", isWelcome, { intervalMs: 1 });
    process.kill(agent.pid, "SIGSTOP");
    let resumed = Promise.resolve();
    await own.controlPlane.restartApiServer(async () => {
      resumed = untilListening(own.controlPlane.serverUrl).then(() => {
        process.kill(agent.pid, "SIGCONT");
      });
    });
    await resumed;
    return begun;
  }

  beforeAll(async () => {
    own = await createOwnCluster(cluster);
    const { client } = own;
    for (const plural of ["anchors", "buoys"]) {
      const resource = createCustomResource(client, `${plural}.example.com`, plural);
      await resource.install("v1");
      for (const name of ["first", "second", "third"]) {
        await resource.create("v1", name);
      }
    }
    for (const name of ["first", "second", "third"]) {
      await client.send("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name } });
    }
    // A run in which the API server still starts verifies a part of the resource types; the next one the rest.
    fleet = await own.start({ serverArgs: ["--reconcile-interval", "3s"] });
    await own.rows.script(LOG_LOSSES);
  });
  afterAll(() => own[Symbol.asyncDispose]());

  it("R11, R70: loses no row of an object that exists, however partial the first discoveries are", {
    timeout: 120_000 + restarts * 60_000,
  }, async () => {
    let partial = 0;
    // Another process can delay the agent until the API server is complete: then one more restart follows.
    for (let round = 1; round <= restarts || (partial === 0 && round <= restarts + 5); round += 1) {
      const begun = round % 2 === 1 ? await restartDuringDiscovery() : await restartTogether();
      await fleet.connected(begun);
      const undecided = await own.rows.sql("DELETE FROM undecided WHERE $1 <> '' RETURNING name");
      partial += undecided.length > 0 ? 1 : 0;
      const lost = await own.rows.sql("SELECT operation, name FROM lost_row WHERE $1 <> ''");
      expect(lost, `restart ${round} of ${restarts}, with a partial discovery: ${partial}`).toEqual([]);
    }
    expect(partial).toBeGreaterThan(0);
    await eventually("the copy to be true", async () => expect(await own.findDifferences()).toEqual([]));
  });
});

/** Waits until the server accepts connections, which it does before it is ready. */
async function untilListening(serverUrl: string): Promise<void> {
  const { hostname, port } = new URL(serverUrl);
  await eventually(
    "the API server to listen",
    async () => {
      const socket = connect(Number(port), hostname);
      try {
        await once(socket, "connect");
      } finally {
        socket.destroy();
      }
    },
    { intervalMs: 2 },
  );
}
