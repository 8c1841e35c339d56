import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { NEVER } from "../../../src/lib/abort.ts";
import { sendHttpRequest } from "../../../src/lib/http-request.ts";

async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/path`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}

describe("sendHttpRequest", () => {
  it("sendHttpRequest sends method and body, and returns the response", async () => {
    await using server = await serve(async (request, response) => {
      response.writeHead(201).end(`${request.method} ${request.url} ${await text(request)}`);
    });
    const response = await sendHttpRequest(NEVER, server.url, { method: "PUT" }, "content");
    expect(response.statusCode).toBe(201);
    expect(await text(response)).toBe("PUT /path content");
  });

  it("sendHttpRequest rejects with the error of the connection", async () => {
    const url = await (async () => {
      await using server = await serve(() => {});
      return server.url;
    })();
    await expect(sendHttpRequest(NEVER, url, {})).rejects.toThrow("ECONNREFUSED");
  });

  it("the request ends when the signal aborts, also while its body is read", async () => {
    await using server = await serve((request, response) => {
      if (request.method === "POST") {
        response.writeHead(200).write("begun");
      }
    });
    const waiting = new AbortController();
    const request = sendHttpRequest(waiting.signal, server.url, {});
    waiting.abort();
    await expect(request).rejects.toThrow("abort");
    const reading = new AbortController();
    const response = await sendHttpRequest(reading.signal, server.url, { method: "POST" });
    const body = text(response);
    reading.abort();
    await expect(body).rejects.toThrow("abort");
  });
});
