import { once } from "node:events";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { expect, test } from "vitest";
import { serveForTest } from "../../../support/rpc/serve-for-test.ts";

const PATH = "/evenkeel.v1.FleetService/ListClusters";
const fleet = { listClusters: () => ({}) };

/** Returns the status of a call over HTTP/1.1 with these headers. */
async function statusOf(url: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  const call = request(`${url}${PATH}`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close", ...headers },
  });
  call.end("{}");
  const [response] = await once(call, "response");
  response.resume();
  return response.statusCode;
}

test.each([
  ["a loopback address", {}, 200],
  ["a page of this machine", { host: "localhost:7070", origin: "http://localhost:7070" }, 200],
  [
    "a name that resolves to this machine",
    { host: "evil.example:7070", origin: "http://evil.example:7070" },
    403,
  ],
  ["a page of another site", { origin: "http://evil.example" }, 403],
])("without authentication, a call to %s gets %#", async (_name, headers, status) => {
  await using server = await serveForTest({ fleet }, { isLocalOnly: true });
  expect(await statusOf(server.url, headers)).toBe(status);
});

test("without authentication, a call over HTTP/2 to another name is refused", async () => {
  await using server = await serveForTest({ fleet }, { isLocalOnly: true });
  const session = connectHttp2(server.url);
  const stream = session.request({ ":method": "POST", ":path": PATH, ":authority": "evil.example:7070" });
  stream.end();
  const [headers] = await once(stream, "response");
  session.destroy();
  expect(headers[":status"]).toBe(403);
});

test("with authentication, every name is accepted", async () => {
  await using server = await serveForTest({ fleet });
  expect(await statusOf(server.url, { host: "evenkeel.example" })).toBe(200);
});
