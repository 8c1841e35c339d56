import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { FleetService } from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { SyncService } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { waitFor } from "../../../../src/lib/abort.ts";
import { ConfigError } from "../../../../src/lib/errors.ts";
import { identityOf } from "../../../../src/rpc/auth/authenticator.ts";
import { grpcClient, serveForTest, transportsTo } from "../../../support/rpc/serve-for-test.ts";

const fleet = {
  getCluster: ({ name }: { name: string }) => ({ cluster: { name, objects: 2n ** 53n + 1n } }),
  async *watchReconciliationRuns({ clusters: [cluster = ""] }: { clusters: string[] }) {
    yield { run: { id: "1", cluster } };
    yield { run: { id: "2", cluster } };
  },
};

const hello = { cluster: "c1", clusterUid: "u1", instanceId: "i1" };

/** Returns the server's answer to these bytes, until the server or the client's deadline of 3 s ends the connection. */
async function exchange(port: number, write: (send: (bytes: string) => void) => Promise<void>) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  await once(socket, "connect");
  const answer = text(socket);
  await write((bytes) => socket.write(bytes, "latin1"));
  const timer = setTimeout(() => socket.destroy(new Error("the server left the connection open")), 3000);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

describe("one port serves every protocol", () => {
  test("unary and server stream", async () => {
    await using server = await serveForTest({ fleet });
    for (const [name, transport] of Object.entries(transportsTo(server.url))) {
      const client = createClient(FleetService, transport);
      const { cluster } = await client.getCluster({ name: "c1" });
      expect(cluster?.objects, name).toBe(2n ** 53n + 1n);
      const runs = await Array.fromAsync(client.watchReconciliationRuns({ clusters: ["c1"] }));
      expect(
        runs.map(({ run }) => run?.id),
        name,
      ).toEqual(["1", "2"]);
    }
  });

  test("bidirectional stream over HTTP/2, with answers before the requests end", async () => {
    await using server = await serveForTest({
      sync: {
        async *sync(requests) {
          for await (const { sequence } of requests) {
            yield { message: { case: "acknowledgement", value: { sequence } } };
          }
        },
      },
    });
    for (const [name, transport] of Object.entries(transportsTo(server.url))) {
      if (!name.includes("HTTP/2") || name.includes("gRPC-Web")) {
        continue;
      }
      const answered = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const requests = (async function* () {
        yield { message: { case: "hello" as const, value: hello } };
        await answered[0]?.promise;
        yield { sequence: 2n, message: { case: "hello" as const, value: hello } };
        await answered[1]?.promise;
      })();
      const sequences: bigint[] = [];
      for await (const { message } of createClient(SyncService, transport).sync(requests)) {
        answered[sequences.length]?.resolve();
        sequences.push(message.case === "acknowledgement" ? message.value.sequence : -1n);
      }
      expect(sequences, name).toEqual([0n, 2n]);
    }
  });

  test("a body of many frames", async () => {
    await using server = await serveForTest({
      fleet: { listClusters: ({ pageToken }) => ({ nextPageToken: String(pageToken.length) }) },
    });
    for (const [name, transport] of Object.entries(transportsTo(server.url))) {
      const client = createClient(FleetService, transport);
      const pageToken = "x".repeat(2048);
      expect((await client.listClusters({ pageToken })).nextPageToken, name).toBe("2048");
    }
  });

  test("the caller's identity reaches the handler", async () => {
    await using server = await serveForTest({
      fleet: { getCluster: (_, { values }) => ({ cluster: { name: identityOf(values).account } }) },
    });
    const { cluster } = await grpcClient(FleetService, server.url).getCluster({ name: "c1" });
    expect(cluster?.name).toBe("default");
  });

  test("a caller without a token is refused, over every protocol", async () => {
    const authenticator = {
      authenticate: () => Promise.reject(new ConnectError("who are you?", Code.Unauthenticated)),
    };
    await using server = await serveForTest({ fleet }, { authenticator });
    for (const [name, transport] of Object.entries(transportsTo(server.url))) {
      const call = createClient(FleetService, transport).getCluster({ name: "c1" });
      await expect(call, name).rejects.toMatchObject({ code: Code.Unauthenticated });
    }
  });

  test("a message above the service's limit is refused, over every protocol", async () => {
    await using server = await serveForTest({ fleet });
    for (const [name, transport] of Object.entries(transportsTo(server.url))) {
      const call = createClient(FleetService, transport).getCluster({ name: "x".repeat(64 * 1024) });
      await expect(call, name).rejects.toMatchObject({ code: Code.ResourceExhausted });
    }
  });
});

describe("input that regular clients do not send", () => {
  const body = `{"name":"c1"}`;
  const request = [
    "POST /evenkeel.v1.FleetService/GetCluster HTTP/1.1",
    "Host: localhost",
    "Content-Type: application/json",
    "Connection: close",
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");

  test("HTTP/1.1 byte by byte", async () => {
    await using server = await serveForTest({ fleet });
    const answer = await exchange(server.port, async (send) => {
      for (const byte of request) {
        send(byte);
        await delay(1);
      }
    });
    expect(answer).toContain('"objects":"9007199254740993"');
  });

  test("HTTP/2 byte by byte", async () => {
    await using server = await serveForTest({ fleet });
    // Preface, an empty SETTINGS, and a GOAWAY that ends the connection.
    const settings = "\0\0\0\x04\0\0\0\0\0";
    const goAway = "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const answer = await exchange(server.port, async (send) => {
      for (const byte of `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${settings}${goAway}`) {
        send(byte);
        await delay(1);
      }
    });
    // Type 4 is SETTINGS. The server's own comes first.
    expect(answer.charCodeAt(3)).toBe(4);
  });

  test.each([
    ["garbage", "\x16\x03\x01 what is this\r\n\r\n", "HTTP/1.1 400"],
    ["a preface with a wrong end", "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n", "HTTP/1.1 400"],
    ["a malformed Host", "GET / HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n", "HTTP/1.1 404"],
    [
      "a Host that is none, where something is served",
      "POST /evenkeel.v1.FleetService/GetCluster HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n",
      "HTTP/1.1 400",
    ],
    [
      "no Host, as HTTP/1.0 allows",
      "POST /evenkeel.v1.FleetService/GetCluster HTTP/1.0\r\n\r\n",
      "HTTP/1.1 400",
    ],
  ])("%s", async (_, bytes, expected) => {
    await using server = await serveForTest({ fleet });
    expect(await exchange(server.port, async (send) => send(bytes))).toContain(expected);
    await grpcClient(FleetService, server.url).getCluster({ name: "still there" });
  });

  test("garbage behind the preface ends only its connection", async () => {
    await using server = await serveForTest({ fleet });
    await exchange(server.port, async (send) => send(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"\xff".repeat(64)}`));
    await grpcClient(FleetService, server.url).getCluster({ name: "still there" });
  });
});

describe("closing", () => {
  test.each(Object.keys(transportsTo("http://localhost")))(
    "over %s: streams end with UNAVAILABLE, unary calls finish, then nothing is accepted",
    async (name) => {
      const entered = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      const server = await serveForTest(
        {
          fleet: {
            async getCluster() {
              entered.resolve();
              await release.promise;
              return { cluster: { name: "finished" } };
            },
            async *watchReconciliationRuns(_, { signal }) {
              yield { run: { id: "1" } };
              await waitFor(signal, new Promise<never>(() => {}));
            },
          },
        },
        { closeTimeoutMs: 60_000 },
      );
      const client = createClient(FleetService, transportsTo(server.url)[name] as Transport);
      const stream = client.watchReconciliationRuns({})[Symbol.asyncIterator]();
      await stream.next();
      const unary = client.getCluster({ name: "c1" });
      await entered.promise;
      const closed = server.close();
      await expect(stream.next()).rejects.toMatchObject({ code: Code.Unavailable });
      release.resolve();
      expect((await unary).cluster?.name).toBe("finished");
      await closed;
      await expect(client.getCluster({ name: "c1" })).rejects.toMatchObject({ code: Code.Unavailable });
    },
  );

  test("idle connections do not delay it", async () => {
    const server = await serveForTest({ fleet }, { closeTimeoutMs: 60_000 });
    for (const transport of Object.values(transportsTo(server.url))) {
      await createClient(FleetService, transport).getCluster({ name: "c1" });
    }
    const silent = connect({ port: server.port, host: "127.0.0.1" });
    await once(silent, "connect");
    await server.close();
  });

  test("a call that does not end is cancelled at the deadline", async () => {
    const entered = Promise.withResolvers<void>();
    const server = await serveForTest(
      {
        fleet: {
          getCluster: () => {
            entered.resolve();
            return new Promise<never>(() => {});
          },
        },
      },
      { closeTimeoutMs: 50 },
    );
    for (const httpVersion of ["1.1", "2"] as const) {
      const transport = createConnectTransport({ baseUrl: server.url, httpVersion });
      const call = createClient(FleetService, transport).getCluster({ name: "c1" });
      call.catch(() => {});
      await entered.promise;
    }
    await server.close();
  });

  test("an abort of the signal starts it", async () => {
    const server = await serveForTest({ fleet });
    server.stop.abort();
    await server.close();
    await expect(once(connect(server.port, "127.0.0.1"), "connect")).rejects.toThrow("ECONNREFUSED");
  });
});

test("a port in use is named in an error with the remedy", async () => {
  await using server = await serveForTest({});
  const second = serveForTest({}, { port: server.port });
  await expect(second).rejects.toThrow(ConfigError);
  await expect(second).rejects.toThrow(`127.0.0.1:${server.port}`);
  await expect(second).rejects.toThrow("--port");
});

test.each(Object.keys(transportsTo("http://localhost")))(
  "over %s: a client that goes away aborts its call, though nothing is written",
  async (name) => {
    const aborted = Promise.withResolvers<void>();
    await using server = await serveForTest({
      fleet: {
        async *watchReconciliationRuns(_, { signal }) {
          signal.addEventListener("abort", () => aborted.resolve());
          yield { run: { id: "1" } };
          await waitFor(signal, new Promise<never>(() => {}));
        },
      },
    });
    const abort = new AbortController();
    const client = createClient(FleetService, transportsTo(server.url)[name] as Transport);
    const stream = client.watchReconciliationRuns({}, { signal: abort.signal });
    await stream[Symbol.asyncIterator]().next();
    abort.abort();
    await aborted.promise;
  },
);
