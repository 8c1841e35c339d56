import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../../../../deploy/local/components/free-port.ts";
import { type Connection, ConnectionLostError } from "../../../../../src/bus/pulsar/websocket/connection.ts";
import { type DialOptions, dial } from "../../../../../src/bus/pulsar/websocket/dial.ts";
import { createSystemClock } from "../../../../../src/lib/clock.ts";
import { RetryableError, TerminalError } from "../../../../../src/lib/errors.ts";
import { createTokenSource } from "../../../../../src/lib/token-source.ts";
import {
  createScriptedWebSocketServer,
  type ScriptedWebSocketServer,
} from "../../../../support/bus/scripted-websocket-server.ts";

// Self-signed, for 127.0.0.1, until 2126: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
// -days 36500 -subj "/CN=tests on the loopback interface" -addext subjectAltName=IP:127.0.0.1
const certificatePath = fileURLToPath(new URL("../../../../support/tls/loopback.cert.pem", import.meta.url));
const tls = {
  cert: readFileSync(certificatePath, "utf8"),
  key: readFileSync(new URL("../../../../support/tls/loopback.key.pem", import.meta.url), "utf8"),
};

describe("a connection", () => {
  const { signal } = new AbortController();
  const clock = createSystemClock();
  const options: DialOptions = { clock, readToken: undefined, trustCertsFile: undefined };
  let server: ScriptedWebSocketServer;

  beforeEach(async () => {
    server = await createScriptedWebSocketServer();
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
  });

  const open = (own: Partial<DialOptions> = {}, url = server.url) =>
    dial(signal, "producer of t", new URL(`${url}/ws/v2/x?a=b`), { ...options, ...own });
  const readAll = async (connection: Connection): Promise<string[]> => {
    const texts: string[] = [];
    for await (const text of connection.texts()) {
      texts.push(text);
    }
    return texts;
  };

  it("a connection carries texts both ways, and ends when it is closed", async () => {
    const accepting = server.accept();
    const connection = await open();
    const far = await accepting;
    const gone = once(far, "close");
    far.on("message", (data) => far.send(`echo ${data}`));
    connection.send("one");
    const texts = connection.texts()[Symbol.asyncIterator]();
    expect((await texts.next()).value).toBe("echo one");
    await connection.close();
    expect(await texts.next()).toMatchObject({ done: true });
    expect((await gone)[0]).toBe(1000);
    connection.send("into the void");
  });

  it("a connection requests no compression, and sends no token if none is configured", async () => {
    await (await open()).close();
    expect(server.handshakes).toMatchObject([{ path: "/ws/v2/x?a=b" }]);
    expect(server.handshakes[0]?.headers).not.toHaveProperty("sec-websocket-extensions");
    expect(server.handshakes[0]?.headers).not.toHaveProperty("authorization");
  });

  it("a connection yields the texts before a close, then throws its code and reason", async () => {
    const accepting = server.accept();
    const connection = await open();
    const far = await accepting;
    far.send("last");
    far.close(1009, "too large");
    const texts = connection.texts()[Symbol.asyncIterator]();
    expect((await texts.next()).value).toBe("last");
    const error = await texts.next().catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect(error).toMatchObject({ code: 1009, reason: "too large" });
  });

  it("a dropped connection throws the reason of the drop", async () => {
    const connection = await open();
    connection.drop("no answer");
    await expect(readAll(connection)).rejects.toThrow("producer of t: no connection (1006, no answer)");
  });

  it("a binary frame drops the connection", async () => {
    const accepting = server.accept();
    const connection = await open();
    (await accepting).send(Buffer.from([1, 2, 3]));
    await expect(readAll(connection)).rejects.toThrow("binary frame");
  });

  it("close resolves in time if the other side has died silently", async () => {
    const accepting = server.accept();
    const connection = await open();
    (await accepting).pause();
    await connection.close();
    await expect(readAll(connection)).resolves.toEqual([]);
  });

  it.each([
    [401, "Unauthorized", RetryableError, "check the bus's token"],
    [
      404,
      "<title>Error 404 {&quot;errorMsg&quot;:&quot;Namespace not found&quot;}</title>",
      RetryableError,
      "Namespace not found",
    ],
    [503, "<title>Error 503 quota exceeded</title>", RetryableError, "(quota exceeded); a quota is exceeded"],
    [400, "<title>Error 400 Invalid name</title>", TerminalError, "(Invalid name)"],
    [418, "", RetryableError, "refused with 418; expected a WebSocket"],
  ])(
    "the error of a handshake with status %i has its reason and advice",
    async (status, body, errorClass, message) => {
      server.refuse(status, body);
      const opening = open();
      await expect(opening).rejects.toThrow(errorClass);
      await expect(opening).rejects.toThrow(message);
    },
  );

  it("a refused TCP connection is a connection error", async () => {
    const opening = open({}, `ws://127.0.0.1:${await freePort()}`);
    await expect(opening).rejects.toThrow(/producer of t: no connection .*ECONNREFUSED/);
  });

  it("dial stops when its signal aborts", async () => {
    const impatient = new AbortController();
    const opening = dial(impatient.signal, "producer of t", new URL(server.url), options);
    impatient.abort(new Error("enough"));
    await expect(opening).rejects.toThrow("enough");
  });

  it("the token file is read at each connect", async () => {
    const directory = mkdtempSync(join(tmpdir(), "evenkeel-token-"));
    const tokenFile = join(directory, "token");
    const readToken = createTokenSource({ tokenFile })?.read;
    try {
      await expect(open({ readToken })).rejects.toThrow(`the token file ${tokenFile} cannot be read`);
      for (const token of ["first", "second"]) {
        writeFileSync(tokenFile, `${token}\n`);
        await (await open({ readToken })).close();
      }
      const tokens = server.handshakes.map(({ headers }) => headers.authorization);
      expect(tokens).toEqual(["Bearer first", "Bearer second"]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("only the configured authorities are trusted", async () => {
    await using secure = await createScriptedWebSocketServer(tls);
    await expect(open({}, secure.url)).rejects.toThrow(/self-signed certificate/);
    const connection = await dial(signal, "t", new URL(secure.url), {
      ...options,
      trustCertsFile: certificatePath,
    });
    await connection.close();
    const missing = dial(signal, "t", new URL(secure.url), { ...options, trustCertsFile: "/nowhere.pem" });
    await expect(missing).rejects.toThrow("/nowhere.pem cannot be read");
  });
});
