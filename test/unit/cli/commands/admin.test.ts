import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { runForTest } from "../../../support/cli/run-for-test.ts";

describe("evenkeel admin topics", () => {
  it("asks for the admin API's URL where the bus's does not tell it", async () => {
    const { code, err } = await runForTest(["admin", "topics", "--bus-url", "pulsar://127.0.0.1:6650"]);
    expect(code).toBe(2);
    expect(err).toContain("--bus-admin-url");
  });

  it("says that no broker answers, and where it looked", async () => {
    const { code, err } = await runForTest(["admin", "topics", "--bus-url", "ws://127.0.0.1:1"]);
    expect(code).toBe(1);
    expect(err).toContain("Pulsar at http://127.0.0.1:1: no response");
  });

  it("brings the token, and says what to do when the broker does not take it", async () => {
    const seen: unknown[] = [];
    const server = createServer((request, response) => {
      seen.push([request.url, request.headers.authorization]);
      response.writeHead(401).end('{"reason":"Authentication required"}');
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const environment = { EVENKEEL_BUS_TOKEN: "t0ken", EVENKEEL_BUS_URL: "pulsar://127.0.0.1:1" };
    const args = ["admin", "topics", "--bus-admin-url", `http://127.0.0.1:${port}`];
    const { code, err } = await runForTest(args, { environment });
    server.close();
    expect(seen).toEqual([["/admin/v2/namespaces/evenkeel", "Bearer t0ken"]]);
    expect(code).toBe(1);
    expect(err).toContain("401: Authentication required; configure a token that the broker accepts");
  });

  it.each(["0", "1001", "many"])("refuses %s partitions", async (partitions) => {
    const args = ["admin", "topics", "--bus-url", "ws://127.0.0.1:1", "--partitions", partitions];
    const { code, err } = await runForTest(args);
    expect(code).toBe(2);
    expect(err).toContain("partitions (flag --partitions): expected a whole number from 1 to 1000");
  });
});
