import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { KubeConfig } from "@kubernetes/client-node";
import { describe, expect, it } from "vitest";
import {
  createKubeTransport,
  type HttpKubeTransport,
  parseRetryAfter,
} from "../../../src/kube/http-transport.ts";
import { loadKubeConfig } from "../../../src/kube/load-kube-config.ts";
import { RetryableError } from "../../../src/lib/errors.ts";

async function withServer(
  listener: RequestListener,
  body: (transport: HttpKubeTransport) => Promise<void>,
): Promise<void> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const transport = createKubeTransport(loadKubeConfig({ type: "server", url: `http://127.0.0.1:${port}/` }));
  try {
    await body(transport);
  } finally {
    transport.close();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
}

describe("the transport over node:http", () => {
  it("the transport returns status, body and Retry-After, and keeps its connection", async () => {
    const ports = new Set<number | undefined>();
    const listener: RequestListener = (request, response) => {
      ports.add(request.socket.remotePort);
      response.writeHead(503, { "Retry-After": "2" }).end(`${request.url} ${request.headers.accept}`);
    };
    await withServer(listener, async (transport) => {
      const signal = new AbortController().signal;
      for (let i = 0; i < 3; i++) {
        const response = await transport.get(signal, { path: "/api/v1/pods", query: { continue: "a/b=c" } });
        expect([response.status, response.retryAfterMs]).toEqual([503, 2000]);
        const chunks = await Array.fromAsync(response.body);
        expect(Buffer.concat(chunks).toString()).toBe("/api/v1/pods?continue=a%2Fb%3Dc application/json");
      }
      expect(ports.size).toBe(1);
    });
  });

  it("a compressed response is understood (L28)", async () => {
    await withServer(
      (_request, response) =>
        void response.writeHead(200, { "Content-Encoding": "gzip" }).end(gzipSync("x".repeat(100_000))),
      async (transport) => {
        const { body } = await transport.get(new AbortController().signal, { path: "/" });
        expect(Buffer.concat(await Array.fromAsync(body)).toString()).toBe("x".repeat(100_000));
      },
    );
  });

  it("a compressed response that breaks off is a retryable error", async () => {
    await withServer(
      (_request, response) => {
        response
          .writeHead(200, { "Content-Encoding": "gzip" })
          .end(gzipSync("x".repeat(100_000)).subarray(0, 50));
      },
      async (transport) => {
        const { body } = await transport.get(new AbortController().signal, { path: "/" });
        await expect(Array.fromAsync(body)).rejects.toThrow(RetryableError);
      },
    );
  });

  it.each([
    ["http://api.example:80", { HTTP_PROXY: "proxy" }, ["GET http://api.example/api"]],
    ["https://api.example:6443", { HTTPS_PROXY: "proxy" }, ["CONNECT api.example:6443"]],
    ["https://api.example:6443", { HTTPS_PROXY: "proxy", NO_PROXY: ".example" }, []],
    ["http://127.0.0.1:1", { HTTP_PROXY: "proxy" }, []],
    ["http://localhost:1", { HTTP_PROXY: "proxy" }, []],
  ])("the environment's proxy is used as kubectl does: %s, %j (L28)", async (url, environment, expected) => {
    const seen: string[] = [];
    const proxy = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.end("{}");
    }).on("connect", (request, socket) => {
      seen.push(`CONNECT ${request.url}`);
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
    await once(proxy.listen(0, "127.0.0.1"), "listening");
    const { port } = proxy.address() as AddressInfo;
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: "c", server: url, skipTLSVerify: true }, { name: "u" });
    const variables = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        value.replace("proxy", `http://127.0.0.1:${port}`),
      ]),
    );
    const transport = createKubeTransport(config, variables);
    const stop = AbortSignal.timeout(5_000);
    await transport
      .get(stop, { path: "/api" })
      .catch((error: unknown) => expect(error).toBeInstanceOf(Error));
    expect(seen).toEqual(expected);
    transport.close();
    proxy.closeAllConnections();
    proxy.close();
  });

  it("a request ends when the signal aborts, also within the body", async () => {
    await withServer(
      (_request, response) => void response.writeHead(200).write("first"),
      async (transport) => {
        const controller = new AbortController();
        const { body } = await transport.get(controller.signal, { path: "/" });
        const reason = new Error("enough");
        const read = (async () => {
          for await (const _chunk of body) {
            controller.abort(reason);
          }
        })();
        await expect(read).rejects.toBe(reason);
      },
    );
  });

  it("a broken connection is a retryable error", async () => {
    await withServer(
      (_request, response) => void response.destroy(),
      async (transport) => {
        const read = transport.get(new AbortController().signal, { path: "/api" });
        await expect(read).rejects.toThrow(RetryableError);
      },
    );
  });

  it("a connection that breaks within the body is an error", async () => {
    await withServer(
      (_request, response) => {
        response.writeHead(200, { "Content-Length": "100" }).write("half");
        setImmediate(() => response.destroy());
      },
      async (transport) => {
        const { body } = await transport.get(new AbortController().signal, { path: "/api" });
        await expect(Array.fromAsync(body)).rejects.toThrow(RetryableError);
      },
    );
  });
});

describe("Retry-After", () => {
  it.each([
    ["2", 2000],
    [undefined, undefined],
    ["Wed, 21 Oct 2026 07:28:00 GMT", undefined],
    ["-1", undefined],
    ["999999999", 86_400_000],
  ])("%s", (header, ms) => {
    expect(parseRetryAfter(header)).toBe(ms);
  });
});
