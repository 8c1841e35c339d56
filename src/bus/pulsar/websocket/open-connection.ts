import type { Socket } from "node:net";
import { ping, type WebSocket } from "undici";
import { NEVER, sleepUnlessAborted } from "../../../lib/abort.ts";
import type { Clock } from "../../../lib/clock.ts";
import { Condition } from "../../../lib/condition.ts";
import { type Connection, ConnectionLostError } from "./connection.ts";
import { keepAlive } from "./keep-alive.ts";

/** Time limit for the broker's close frame, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;

/** A connection over an open WebSocket and its socket. It pings until it ends. */
export class OpenConnection implements Connection {
  readonly #what: string;
  readonly #clock: Clock;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #texts: string[] = [];
  readonly #closed = new AbortController();
  #lost: ConnectionLostError | undefined;
  #isLeaving = false;
  #dropReason: string | undefined;
  readonly #arrived = new Condition();

  constructor(what: string, clock: Clock, webSocket: WebSocket, socket: Socket) {
    this.#what = what;
    this.#clock = clock;
    this.#webSocket = webSocket;
    this.#socket = socket;
    webSocket.addEventListener("message", ({ data }) => this.#receive(data));
    webSocket.addEventListener("close", ({ code, reason }) => this.#end(code, reason));
    void keepAlive(this.#closed.signal, clock, {
      ping: () => ping(webSocket),
      get bytesRead() {
        return socket.bytesRead;
      },
      drop: (reason) => this.drop(reason),
    });
  }

  async *texts(): AsyncGenerator<string, void, undefined> {
    for (;;) {
      const text = this.#texts.shift();
      if (text !== undefined) {
        yield text;
      } else if (this.#closed.signal.aborted) {
        break;
      } else {
        await this.#arrived.wait(NEVER);
      }
    }
    if (this.#lost !== undefined) {
      throw this.#lost;
    }
  }

  send(text: string): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) {
      this.#webSocket.send(text);
    }
  }

  async close(): Promise<void> {
    this.#isLeaving = true;
    this.#webSocket.close(1000);
    await sleepUnlessAborted(this.#closed.signal, this.#clock, CLOSE_TIMEOUT_MS);
    this.#socket.destroy();
  }

  drop(reason: string): void {
    this.#dropReason ??= reason;
    this.#socket.destroy();
  }

  #receive(data: unknown): void {
    if (typeof data === "string") {
      this.#texts.push(data);
      this.#arrived.notifyAll();
    } else {
      this.drop("the broker sent a binary frame, expected text");
    }
  }

  #end(code: number, reason: string): void {
    if (!this.#isLeaving) {
      this.#lost = new ConnectionLostError(this.#what, code, this.#dropReason ?? reason);
    }
    this.#closed.abort();
    this.#arrived.notifyAll();
  }
}
