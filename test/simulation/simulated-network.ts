import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import type { UniversalClientFn, UniversalClientRequest } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-grpc";
import { NEVER, waitFor } from "../../src/lib/abort.ts";
import { Condition } from "../../src/lib/condition.ts";
import type { Random } from "../../src/lib/random.ts";
import { createSyncClientOn, type SyncClient } from "../../src/rpc/client/sync-client.ts";
import { between, pick } from "./chance.ts";
import type { SimulatedProcess } from "./process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A process that accepts calls. */
export interface SimulatedServer {
  readonly process: SimulatedProcess;
  readonly router: ConnectRouter;
}

/** How a connection fails: both ends learn it and bytes in flight are lost, or bytes vanish without a notice. */
export type ConnectionFault = "reset" | "both ways silent" | "to the server silent" | "to the client silent";

/** Time after which an end of a silent connection gives up: its ping, and the wait for the answer, in milliseconds. */
const PING_MS = 30_000;

/** The network between agents and backends: connections over which the real client and the real handlers talk. */
export class SimulatedNetwork {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #connections = new Set<Connection>();
  readonly #servers = new Set<SimulatedServer>();
  /** Processes that reach no server, as in a partition. */
  readonly #partitioned = new Set<string>();

  constructor(time: VirtualTime, random: Random) {
    this.#time = time;
    this.#random = random;
  }

  /** Lets a server accept calls until it dies or `close` is called. */
  listen(server: SimulatedServer): { close(): void } {
    this.#servers.add(server);
    const close = (): void => {
      this.#servers.delete(server);
    };
    server.process.onDeath(close);
    return { close };
  }

  /** Creates a client of a process: each call goes to one of the servers. */
  createClient(process: SimulatedProcess, host: string, token: string): SyncClient {
    const transport = createTransport({
      httpClient: (request) => this.#call(process, host, request),
      baseUrl: "http://backend",
      useBinaryFormat: true,
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${token}`);
          return next(request);
        },
      ],
      acceptCompression: [],
      sendCompression: null,
      compressMinBytes: Number.MAX_SAFE_INTEGER,
      readMaxBytes: 8 * 1024 * 1024,
      writeMaxBytes: Number.MAX_SAFE_INTEGER,
    });
    return createSyncClientOn(transport, undefined);
  }

  /** Breaks the open connections of a host. */
  breakConnections(host: string, fault: ConnectionFault): number {
    const broken = [...this.#connections].filter((connection) => connection.host === host);
    for (const connection of broken) {
      connection.break(fault);
    }
    return broken.length;
  }

  /** Begins or ends a partition of a host: its connections are silent, and it cannot open new ones. */
  partition(host: string, isPartitioned: boolean): void {
    if (isPartitioned) {
      this.#partitioned.add(host);
      this.breakConnections(host, "both ways silent");
    } else {
      this.#partitioned.delete(host);
    }
  }

  #call: (...call: [SimulatedProcess, string, UniversalClientRequest]) => ReturnType<UniversalClientFn> =
    async (client, host, request) => {
      const delay = between(this.#random, 1, 10);
      const server = await client.call("connect to a backend", [delay, 0], () => {
        const servers = [...this.#servers].filter(({ process }) => process.isAlive);
        if (servers.length === 0 || this.#partitioned.has(host)) {
          throw new ConnectError("connect ECONNREFUSED", Code.Unavailable);
        }
        return pick(this.#random, servers);
      });
      const connection = new Connection({ time: this.#time, random: this.#random, host, client, server });
      this.#connections.add(connection);
      connection.ended.addEventListener("abort", () => this.#connections.delete(connection), { once: true });
      request.signal?.addEventListener("abort", () => connection.close(), { once: true });
      const { url, method, header } = request;
      const handler = server.router.handlers.find(({ requestPath }) => requestPath === new URL(url).pathname);
      if (handler === undefined) {
        throw new ConnectError(`${url}: not found`, Code.Unimplemented);
      }
      const body = connection.up.carry(request.body ?? empty());
      const signal = connection.atServer;
      // A server writes its answer also to a client that has left, and so learns that.
      const answered = handler({ httpVersion: "2.0", method, url, header, body, signal }).then((answer) => {
        connection.down.send(answer.body ?? empty(), () => connection.finish());
        return answer;
      });
      const response = await waitFor(connection.atClient, answered);
      return {
        status: response.status,
        header: new Headers(response.header),
        trailer: response.trailer ?? new Headers(),
        body: connection.down.receive(),
      };
    };
}

interface ConnectionOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly host: string;
  readonly client: SimulatedProcess;
  readonly server: SimulatedServer;
}

/** One call over one connection. */
class Connection {
  readonly host: string;
  readonly up: Pipe;
  readonly down: Pipe;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #ended = new AbortController();
  readonly #atServer = new AbortController();
  readonly #atClient = new AbortController();

  constructor({ time, random, host, client, server }: ConnectionOptions) {
    this.host = host;
    this.#time = time;
    this.#random = random;
    this.up = new Pipe(time, random, () => client.isAlive);
    this.down = new Pipe(time, random, () => server.process.isAlive);
    // The kernel of a dead process resets its connections.
    client.onDeath(() => this.break("reset"));
    server.process.onDeath(() => this.break("reset"));
  }

  /** Aborts when both ends have left. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Aborts when the server learns that the connection is broken. */
  get atServer(): AbortSignal {
    return this.#atServer.signal;
  }

  /** Aborts when the client learns that the connection is broken. */
  get atClient(): AbortSignal {
    return this.#atClient.signal;
  }

  break(fault: ConnectionFault): void {
    const isUpLost = fault !== "to the client silent";
    const isDownLost = fault !== "to the server silent";
    if (isUpLost) {
      this.up.isLosing = true;
    }
    if (isDownLost) {
      this.down.isLosing = true;
    }
    const delay = (): number => (fault === "reset" ? between(this.#random, 1, 10) : PING_MS);
    this.#time.schedule(delay(), () =>
      this.#failClient(new ConnectError("connection reset", Code.Unavailable)),
    );
    this.#time.schedule(delay(), () => this.#failServer(new ConnectError("connection reset", Code.Canceled)));
  }

  /** The client leaves; the server learns it soon. */
  close(): void {
    this.#failClient(new ConnectError("call canceled", Code.Canceled));
    this.#time.schedule(between(this.#random, 1, 10), () => {
      this.#failServer(new ConnectError("call canceled", Code.Canceled));
    });
  }

  /** The server has answered completely. */
  finish(): void {
    this.#ended.abort();
  }

  #failClient(error: ConnectError): void {
    this.#atClient.abort(error);
    this.down.fail(error);
    this.#endWhenBothFailed();
  }

  #failServer(error: ConnectError): void {
    this.#atServer.abort(error);
    this.up.fail(error);
    this.#endWhenBothFailed();
  }

  #endWhenBothFailed(): void {
    if (this.#atClient.signal.aborted && this.#atServer.signal.aborted) {
      this.#ended.abort();
    }
  }
}

/** One direction of a connection: it carries chunks in their order, each with a delay. */
class Pipe {
  /** True if what is sent from now on, and what is on the way, never arrives. */
  isLosing = false;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #isSenderAlive: () => boolean;
  readonly #arrived: Uint8Array[] = [];
  readonly #changed = new Condition();
  #end: { readonly error?: unknown } | undefined;
  #lastAt = 0;

  constructor(time: VirtualTime, random: Random, isSenderAlive: () => boolean) {
    this.#time = time;
    this.#random = random;
    this.#isSenderAlive = isSenderAlive;
  }

  /** Fails at the receiver: chunks on the way are lost. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#changed.notifyAll();
  }

  /** Sends the chunks of the source when the receiver begins to read. */
  async *carry(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    this.send(source, () => {});
    yield* this.receive();
  }

  /** Sends the chunks of the source, and calls `onEnd` when its end has arrived. */
  send(source: AsyncIterable<Uint8Array>, onEnd: () => void): void {
    void this.#send(source, onEnd);
  }

  /** Yields the chunks that arrive. */
  async *receive(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      await this.#changed.waitUntil(NEVER, () => this.#arrived.length > 0 || this.#end !== undefined);
      if (this.#end !== undefined && "error" in this.#end) {
        throw this.#end.error;
      }
      const chunk = this.#arrived.shift();
      if (chunk === undefined) {
        return;
      }
      yield chunk;
    }
  }

  async #send(source: AsyncIterable<Uint8Array>, onEnd: () => void): Promise<void> {
    try {
      for await (const chunk of source) {
        const copy = Uint8Array.from(chunk);
        this.#later(() => this.#arrived.push(copy));
      }
    } catch {
      // The sender gave up. Its end of the connection reports why.
      return;
    }
    this.#later(() => {
      this.#end ??= {};
      onEnd();
    });
  }

  #later(arrive: () => void): void {
    if (!this.#isSenderAlive()) {
      return;
    }
    this.#lastAt = Math.max(this.#lastAt, this.#time.elapsedMs + between(this.#random, 1, 8));
    this.#time.schedule(this.#lastAt - this.#time.elapsedMs, () => {
      if (!this.isLosing && this.#end === undefined) {
        arrive();
        this.#changed.notifyAll();
      }
    });
  }
}

async function* empty(): AsyncGenerator<Uint8Array> {}
