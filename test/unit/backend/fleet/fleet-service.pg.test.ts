import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ReconciliationTrigger } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  FleetService,
  ReconciliationState,
  View,
} from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { ReconciliationRequestSchema } from "../../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { BadRequestSchema } from "../../../../gen/proto/google/rpc/error_details_pb.ts";
import { createFleetService, type StartRun } from "../../../../src/backend/fleet/fleet-service.ts";
import { createSystemClock } from "../../../../src/lib/clock.ts";
import { ConflictError, TerminalError } from "../../../../src/lib/errors.ts";
import type { Identity } from "../../../../src/rpc/auth/authenticator.ts";
import { FleetWorld } from "../../../support/backend/fleet-world.ts";
import { describeWithPostgres } from "../../../support/postgres/postgres.ts";
import { grpcClient, serveForTest } from "../../../support/rpc/serve-for-test.ts";
import { put } from "../../../support/store/messages.ts";

const id = "0d6b1c4e-6f0a-4c9e-9a54-0f6d2b3c1a77";
const otherId = "5b0f1f7c-51f4-4b1e-8c39-6a8f3a1d9e02";
const resourceType = { group: "", version: "v1", resource: "pods" };

describeWithPostgres("FleetService", (database) => {
  /** A fleet with the cluster "c1" and as many pods in it, "a/o0" and so on. */
  async function createFleet(pods: number): Promise<FleetWorld> {
    const fleet = new FleetWorld(database.url);
    await fleet.addCluster("c1", ...Array.from({ length: pods }, (_, i) => put(`a/o${i}`, { observed: 1 })));
    return fleet;
  }

  /** Serves FleetService behind the whole of the port, to a caller of the fleet's account unless another is given. */
  async function serveFleet(
    fleet: FleetWorld,
    startRun: StartRun = () => expect.fail("not to be called"),
    identity: Identity = { account: fleet.account },
  ) {
    const service = createFleetService({
      store: fleet.store,
      deletions: fleet.deletions,
      clock: createSystemClock(),
      startRun,
    });
    const authenticator = { authenticate: async () => identity };
    const server = await serveForTest({ fleet: service }, { authenticator });
    return {
      client: grpcClient(FleetService, server.url),
      [Symbol.asyncDispose]: server.close,
    };
  }

  describe("pages", () => {
    test("have 100 items without a size, and at most 1,000", async () => {
      await using fleet = await createFleet(1_100);
      await using server = await serveFleet(fleet);
      const sizes = [0, 5, 1000, 1001, 2 ** 31 - 1];
      const lengths = sizes.map(async (pageSize) => {
        const { objects, nextPageToken } = await server.client.listObjects({ clusters: ["c1"], pageSize });
        expect(nextPageToken).not.toBe("");
        return objects.length;
      });
      expect(await Promise.all(lengths)).toEqual([100, 5, 1000, 1000, 1000]);
    });

    test("follow each other without gap or overlap at all sizes", async () => {
      await using fleet = await createFleet(10);
      await using server = await serveFleet(fleet);
      const names: (string | undefined)[] = [];
      let pageToken = "";
      for (const pageSize of [3, 4, 3]) {
        const page = await server.client.listObjects({ clusters: ["c1"], pageSize, pageToken });
        names.push(...page.objects.map(({ ref }) => ref?.name));
        pageToken = page.nextPageToken;
      }
      expect(names).toEqual(Array.from({ length: 10 }, (_, i) => `o${i}`));
      expect(pageToken).toBe("");
    });

    test.each<[string, object]>([
      ["of another cluster", { clusters: ["c2"] }],
      ["of another filter", { namespace: "a" }],
      ["of another resource type", { resources: [{ group: "" }] }],
      ["with contents", { view: View.FULL }],
      ["that is none", { pageToken: "x" }],
      ["that is JSON of another shape", { pageToken: Buffer.from("[1]").toString("base64url") }],
    ])("a token %s is INVALID_ARGUMENT at page_token", async (_, change) => {
      await using fleet = await createFleet(10);
      await using server = await serveFleet(fleet);
      const request = { clusters: ["c1"], pageSize: 3 };
      const { nextPageToken } = await server.client.listObjects(request);
      const call = server.client.listObjects({ ...request, pageToken: nextPageToken, ...change });
      const error = await call.catch((reason: unknown) => ConnectError.from(reason));
      expect(error).toMatchObject({ code: Code.InvalidArgument });
      const [details] = (error as ConnectError).findDetails(BadRequestSchema);
      expect(details?.fieldViolations.map(({ field }) => field)).toEqual(["page_token"]);
    });

    test("refuse a token of another method", async () => {
      await using fleet = await createFleet(1);
      await fleet.setRun({ id, cluster: "c1", state: "REQUESTED" });
      await fleet.setRun({ id: otherId, cluster: "c2", state: "REQUESTED" });
      await fleet.addCluster("c2");
      await using server = await serveFleet(fleet);
      const { nextPageToken: pageToken } = await server.client.listReconciliationRuns({ pageSize: 1 });
      expect(pageToken).not.toBe("");
      await expect(server.client.listClusters({ pageToken })).rejects.toMatchObject({
        code: Code.InvalidArgument,
      });
    });
  });

  describe("callers restricted to one cluster", () => {
    const asOwner = (fleet: FleetWorld, startRun?: StartRun) =>
      serveFleet(fleet, startRun, { account: fleet.account, cluster: "c1" });

    test("see only that cluster", async () => {
      await using fleet = await createFleet(1);
      await fleet.addCluster("c2");
      await using server = await asOwner(fleet);
      const { clusters, nextPageToken } = await server.client.listClusters({ pageSize: 1 });
      expect([clusters.map(({ name }) => name), nextPageToken]).toEqual([["c1"], ""]);
      expect((await server.client.listObjects({ clusters: ["c1"] })).objects).toHaveLength(1);
    });

    test("get the same answer for another cluster of their account as for an unknown one", async () => {
      await using fleet = await createFleet(1);
      await fleet.addCluster("c2", put("a/o0", { observed: 1 }));
      await fleet.setRun({ id, cluster: "c2", state: "REQUESTED" });
      await using server = await asOwner(fleet);
      const { client } = server;
      const answersFor = (cluster: string, runId: string) =>
        Promise.all(
          [
            client.getCluster({ name: cluster }),
            client.listObjects({ clusters: [cluster] }),
            client.getObject({ cluster, ref: { resourceType, namespace: "a", name: "o0" } }),
            client.listReconciliationRuns({ clusters: [cluster] }),
            client.startReconciliation({ cluster }),
            client.getReconciliationRun({ id: runId }),
            client.listReconciliationFindings({ runId }),
          ].map((call) => call.catch((reason: unknown) => ConnectError.from(reason))),
        );
      const none = "11111111-1111-4111-8111-111111111111";
      const [others, nones] = [await answersFor("c2", id), await answersFor("c9", none)];
      for (const [index, answer] of others.entries()) {
        const { code, rawMessage } = answer as ConnectError;
        expect(code).toBe(Code.NotFound);
        expect(rawMessage.replace("c2", "c9").replace(id, none)).toBe(
          (nones[index] as ConnectError).rawMessage,
        );
      }
      expect((await client.listReconciliationRuns({})).runs).toEqual([]);
    });

    test("watch only its runs", async () => {
      await using fleet = await createFleet(0);
      await fleet.setRun({ id: otherId, cluster: "c2", state: "REQUESTED" });
      await fleet.setRun({ id, cluster: "c1", state: "REQUESTED" });
      await using server = await asOwner(fleet);
      const stop = new AbortController();
      for await (const { run } of server.client.watchReconciliationRuns({}, stop)) {
        expect(run?.id).toBe(id);
        break;
      }
      stop.abort();
    });

    test("start its runs", async () => {
      const request = create(ReconciliationRequestSchema, { runId: id });
      await using fleet = await createFleet(0);
      await using server = await asOwner(fleet, async () => ({ request }));
      expect((await server.client.startReconciliation({ cluster: "c1" })).run?.id).toBe(id);
    });
  });

  test.each<[string, (fleet: FleetWorld) => Identity]>([
    ["another account", () => ({ account: "other" })],
    ["a caller who may see less", ({ account }) => ({ account, cluster: "c1" })],
  ])("a page token is of no use to %s", async (_, identityIn) => {
    await using fleet = await createFleet(2);
    await using owner = await serveFleet(fleet);
    const { nextPageToken: pageToken } = await owner.client.listObjects({ clusters: ["c1"], pageSize: 1 });
    await using server = await serveFleet(fleet, undefined, identityIn(fleet));
    await expect(server.client.listObjects({ clusters: ["c1"], pageToken })).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: expect.stringMatching(/^page_token: belongs to another request/),
    });
  });

  describe("an unknown name is NOT_FOUND, by name", () => {
    test.each<[string, (client: Client<typeof FleetService>) => Promise<unknown>]>([
      ['no cluster "c9"', (client) => client.getCluster({ name: "c9" })],
      ['no cluster "c9"', (client) => client.listObjects({ clusters: ["c9"] })],
      ['no cluster "c9"', (client) => client.listReconciliationRuns({ clusters: ["c9"] })],
      [
        'no cluster "c9"',
        (client) => client.getObject({ cluster: "c9", ref: { resourceType, namespace: "a", name: "x" } }),
      ],
      [
        'no pods a/x in cluster "c1"',
        (client) => client.getObject({ cluster: "c1", ref: { resourceType, namespace: "a", name: "x" } }),
      ],
      [`no reconciliation run ${id}`, (client) => client.getReconciliationRun({ id })],
      [`no reconciliation run ${id}`, (client) => client.listReconciliationFindings({ runId: id })],
    ])("%s", async (rawMessage, call) => {
      await using fleet = await createFleet(1);
      await using server = await serveFleet(fleet);
      await expect(call(server.client)).rejects.toMatchObject({ code: Code.NotFound, rawMessage });
    });

    test("objects of another account are not found", async () => {
      await using fleet = await createFleet(1);
      await using server = await serveFleet(fleet, undefined, { account: "another" });
      expect((await server.client.listClusters({})).clusters).toEqual([]);
      await expect(server.client.listObjects({ clusters: ["c1"] })).rejects.toMatchObject({
        code: Code.NotFound,
      });
    });
  });

  test("an existing resource without items has an empty list", async () => {
    await using fleet = await createFleet(0);
    await fleet.setRun({ id, cluster: "c1", state: "REQUESTED" });
    await using server = await serveFleet(fleet);
    expect((await server.client.listObjects({ clusters: ["c1"] })).objects).toEqual([]);
    expect((await server.client.listReconciliationFindings({ runId: id })).findings).toEqual([]);
    await fleet.addFinding("c1", id, "o0");
    expect((await server.client.listReconciliationFindings({ runId: id })).findings).toHaveLength(1);
  });

  test("a ref without a resource type is INVALID_ARGUMENT at ref.resource_type", async () => {
    await using fleet = await createFleet(1);
    await using server = await serveFleet(fleet);
    const call = server.client.getObject({ cluster: "c1", ref: { name: "o0" } });
    await expect(call).rejects.toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "ref.resource_type: value is required",
    });
  });

  describe("StartReconciliation", () => {
    test("returns the requested run", async () => {
      const time = timestampFromDate(new Date());
      const trigger = ReconciliationTrigger.MANUAL;
      const request = create(ReconciliationRequestSchema, {
        runId: id,
        initiator: "evenkeel/backend",
        trigger,
        time,
      });
      await using fleet = await createFleet(0);
      await using server = await serveFleet(fleet, async (_, account, cluster) => {
        expect([account, cluster]).toEqual([fleet.account, "c1"]);
        return { request };
      });
      const { run } = await server.client.startReconciliation({ cluster: "c1" });
      expect(run).toMatchObject({
        id,
        cluster: "c1",
        trigger,
        state: ReconciliationState.REQUESTED,
        startTime: time,
      });
    });

    test("starts a dry run (R82)", async () => {
      await using fleet = await createFleet(0);
      await using server = await serveFleet(fleet, async (_signal, _account, _cluster, run) => {
        expect(run).toEqual({ id, dryRun: true });
        return { request: create(ReconciliationRequestSchema, { runId: id, dryRun: true }) };
      });
      const request = { cluster: "c1", requestId: id.toUpperCase(), dryRun: true };
      expect((await server.client.startReconciliation(request)).run).toMatchObject({ id, dryRun: true });
    });

    test("refuses a request ID that started a run for a dry run (R82)", async () => {
      await using fleet = await createFleet(0);
      await fleet.setRun({ id, cluster: "c1", state: "REQUESTED" });
      await using server = await serveFleet(fleet);
      const call = server.client.startReconciliation({ cluster: "c1", requestId: id, dryRun: true });
      await expect(call).rejects.toMatchObject({
        code: Code.InvalidArgument,
        rawMessage: 'request_id: was used for a run of cluster "c1"; choose another one',
      });
    });

    test.each([
      ["ABORTED while another is active", new ConflictError("another run is active"), Code.Aborted],
      ["FAILED_PRECONDITION when not connected", new TerminalError("not connected"), Code.FailedPrecondition],
    ])("%s", async (_, error, code) => {
      await using fleet = await createFleet(0);
      await using server = await serveFleet(fleet, () => Promise.reject(error));
      const call = server.client.startReconciliation({ cluster: "c1" });
      await expect(call).rejects.toMatchObject({ code, rawMessage: error.message });
    });
  });

  describe("watching runs", () => {
    test("works over the port until the client cancels", async () => {
      await using fleet = await createFleet(0);
      await fleet.setRun({ id, cluster: "c1", state: "REQUESTED" });
      await using server = await serveFleet(fleet);
      const stop = new AbortController();
      for await (const { run } of server.client.watchReconciliationRuns({}, stop)) {
        expect(run?.id).toBe(id);
        break;
      }
      stop.abort();
    });
  });
});
