import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { freePort } from "../../../../../deploy/local/components/free-port.ts";
import {
  type AdminRequest,
  createAdminTransport,
} from "../../../../../src/bus/pulsar/admin/http-transport.ts";
import { createSystemClock } from "../../../../../src/lib/clock.ts";
import {
  ConfigError,
  ConflictError,
  NotFoundError,
  RetryableError,
  TerminalError,
} from "../../../../../src/lib/errors.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";

const certificate = fileURLToPath(new URL("../../../../support/tls/loopback.cert.pem", import.meta.url));
const { signal } = new AbortController();
const get: AdminRequest = { method: "GET", path: "namespaces/evenkeel/main" };

/** Serves on a free port; the listener answers. */
async function serve(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function open(adminUrl: string, readToken?: () => string) {
  return createAdminTransport({ adminUrl, readToken }, createSystemClock());
}

describe("the transport of the admin API", () => {
  it("a request has method, path, query and JSON, and returns the body of the response", async () => {
    const seen: unknown[] = [];
    await using server = await serve(async (request, response) => {
      seen.push([request.method, request.url, request.headers["content-type"], await text(request)]);
      response.end('{"a":1}');
    });
    const transport = open(`${server.url}/`);
    const query = { backlogQuotaType: "destination_storage" };
    const post = {
      method: "POST",
      path: "namespaces/a/b/backlogQuota",
      query,
      body: { limitSize: 1 },
    } as const;
    expect(await transport.send(signal, post)).toBe('{"a":1}');
    await transport.send(signal, get);
    expect(seen).toEqual([
      [
        "POST",
        "/admin/v2/namespaces/a/b/backlogQuota?backlogQuotaType=destination_storage",
        "application/json",
        '{"limitSize":1}',
      ],
      ["GET", "/admin/v2/namespaces/evenkeel/main", undefined, ""],
    ]);
  });

  it("a response without content is empty", async () => {
    await using server = await serve((_, response) => response.writeHead(204).end());
    expect(await open(server.url).send(signal, get)).toBe("");
  });

  it("the token is read for each request, and is sent also after a redirect to another broker", async () => {
    const seen: unknown[] = [];
    await using owner = await serve(async (request, response) => {
      seen.push([request.method, request.url, request.headers.authorization, await text(request)]);
      response.end("2");
    });
    await using first = await serve((request, response) =>
      response.writeHead(307, { location: `${owner.url}${request.url}` }).end(),
    );
    const tokens = ["old", "new"];
    const transport = open(first.url, () => tokens.shift() ?? "");
    expect(await transport.send(signal, { method: "PUT", path: "persistent/a/b/c", body: 3 })).toBe("2");
    expect(seen).toEqual([["PUT", "/admin/v2/persistent/a/b/c", "Bearer new", "3"]]);
  });

  it("a loop of redirects is an error", async () => {
    await using server = await serve((request, response) =>
      response.writeHead(307, { location: request.url }).end(),
    );
    await expect(open(server.url).send(signal, get)).rejects.toThrow(/redirected more than 5 times/);
  });

  it.each([
    [401, TerminalError, "configure a token"],
    [403, TerminalError, "role"],
    [404, NotFoundError, "it is so"],
    [405, TerminalError, "405"],
    [409, ConflictError, "it is so"],
    [412, TerminalError, "it is so"],
    [429, RetryableError, "it is so"],
    [500, RetryableError, "it is so"],
    [503, RetryableError, "it is so"],
  ])(
    "the error of status %d names the request, the status and the broker's reason",
    async (status, type, what) => {
      await using server = await serve((_, response) =>
        response.writeHead(status).end('{"reason":"it is so"}'),
      );
      const sent = open(server.url).send(signal, get);
      await expect(sent).rejects.toThrow(type);
      await expect(sent).rejects.toThrow(what);
      const found = `GET namespaces/evenkeel/main of Pulsar at ${server.url}: ${status}: it is so`;
      await expect(sent).rejects.toThrow(found);
    },
  );

  it.each([
    [
      500,
      "\n --- An unexpected error occurred in the server ---\n\nMessage: org.apache.pulsar.metadata.api.MetadataStoreException$BadVersionException: Version mismatch\n\nStacktrace:\n\nat java",
      /: 500: Message: org\S+BadVersionException: Version mismatch$/,
    ],
    [412, "Failed for Subscription Busy: Failed to fence subscription", /fence subscription$/],
  ])("status %d is a conflict if its reason is one", async (status, reason, message) => {
    await using server = await serve((_, response) =>
      response.writeHead(status).end(JSON.stringify({ reason })),
    );
    const sent = open(server.url).send(signal, get);
    await expect(sent).rejects.toThrow(ConflictError);
    await expect(sent).rejects.toThrow(message);
  });

  it("the error does not contain the page of a web server", async () => {
    await using server = await serve((_, response) => response.writeHead(404).end("<html>\n</html>"));
    await expect(open(server.url).send(signal, get)).rejects.toThrow(/: 404$/);
  });

  it("the error of a missing response names the URL", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const sent = open(url).send(signal, get);
    await expect(sent).rejects.toThrow(RetryableError);
    await expect(sent).rejects.toThrow(`${url}: no response (connect ECONNREFUSED`);
  });

  it("a request ends with the signal's reason", async () => {
    const stop = new AbortController();
    await using server = await serve(() => stop.abort(new Error("enough")));
    await expect(open(server.url).send(stop.signal, get)).rejects.toThrow("enough");
  });

  it("a request to a broker that never answers ends at its time limit", async () => {
    const clock = new ManualClock();
    const asked = Promise.withResolvers<void>();
    await using server = await serve(() => asked.resolve());
    const sent = createAdminTransport({ adminUrl: server.url }, clock).send(signal, get);
    const refused = expect(sent).rejects.toThrow(RetryableError);
    await asked.promise;
    await clock.advance(30_000);
    await refused;
    expect(clock.pending).toBe(0);
  });

  it("only the configured authorities are trusted", async () => {
    const answer: RequestListener = (_, response) => response.end("1");
    const server = createTlsServer(
      {
        cert: readFileSync(certificate, "utf8"),
        key: readFileSync(new URL("../../../../support/tls/loopback.key.pem", import.meta.url)),
      },
      answer,
    ).listen(0, "127.0.0.1");
    await once(server, "listening");
    const adminUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const clock = createSystemClock();
    const trusting = createAdminTransport({ adminUrl, trustCertsFile: certificate }, clock);
    expect(await trusting.send(signal, get)).toBe("1");
    await expect(open(adminUrl).send(signal, get)).rejects.toThrow("self-signed certificate");
    server.close();
  });

  it("the error of an unreadable file of certificates names the file", () => {
    const endpoint = { adminUrl: "https://127.0.0.1", trustCertsFile: "/nowhere/ca.pem" };
    const create = () => createAdminTransport(endpoint, createSystemClock());
    expect(create).toThrow(ConfigError);
    expect(create).toThrow("/nowhere/ca.pem");
  });
});
