import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../../gen/proto/grpc/health/v1/health_pb.ts";
import { grpcClient, serveForTest } from "../../../support/rpc/serve-for-test.ts";

test("Check tells the server's and each service's status", async () => {
  await using server = await serveForTest({});
  const client = grpcClient(Health, server.url);
  expect((await client.check({})).status).toBe(Status.SERVING);
  await expect(client.check({ service: "a.B" })).rejects.toMatchObject({ code: Code.NotFound });
  server.health.set("a.B", false);
  expect((await client.check({ service: "a.B" })).status).toBe(Status.NOT_SERVING);
});

test("List tells all", async () => {
  await using server = await serveForTest({});
  server.health.set("a.B", false);
  const { statuses } = await grpcClient(Health, server.url).list({});
  expect(Object.entries(statuses).map(([name, { status }]) => [name, status])).toEqual([
    ["", Status.SERVING],
    ["a.B", Status.NOT_SERVING],
  ]);
});

test("Watch tells the status at once, also of a service that is not yet known, then its changes", async () => {
  await using server = await serveForTest({});
  const seen: Status[] = [];
  const changes = [
    () => server.health.set("a.B", true),
    // No change, so no message.
    () => [server.health.set("a.B", true), server.health.set("other", true), server.health.set("a.B", false)],
    () => server.health.set("a.B", true),
  ];
  const stop = new AbortController();
  for await (const { status } of grpcClient(Health, server.url).watch({ service: "a.B" }, stop)) {
    seen.push(status);
    const change = changes.shift();
    if (change === undefined) {
      break;
    }
    change();
  }
  stop.abort();
  expect(seen).toEqual([Status.SERVICE_UNKNOWN, Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
});
