import { type Connection, ConnectionLostError } from "../../../src/bus/pulsar/websocket/connection.ts";

/** A connection whose peer is the test. */
export class FakeConnection implements Connection {
  /** Frames that were sent, as JSON. */
  readonly sent: Readonly<Record<string, unknown>>[] = [];
  /** Reason with which it was closed, if it was. */
  dropReason: string | undefined;
  isClosed = false;
  readonly #texts: string[] = [];
  #end: { readonly error?: Error } | undefined;
  #arrived = Promise.withResolvers<void>();

  async *texts(): AsyncGenerator<string, void, undefined> {
    while (this.#texts.length > 0 || this.#end === undefined) {
      const text = this.#texts.shift();
      if (text === undefined) {
        await this.#arrived.promise;
      } else {
        yield text;
      }
    }
    if (this.#end.error !== undefined) {
      throw this.#end.error;
    }
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.#finish({});
  }

  drop(reason: string): void {
    this.dropReason ??= reason;
    this.lose(1006, reason);
  }

  /** Delivers a frame from the peer. */
  receive(frame: unknown): void {
    this.#texts.push(typeof frame === "string" ? frame : JSON.stringify(frame));
    this.#wake();
  }

  /** Ends the connection from the peer's side. */
  lose(code = 1006, reason = ""): void {
    this.#finish({ error: new ConnectionLostError("test", code, reason) });
  }

  /** Returns the context of a sent publish. */
  contextOf(index: number): string {
    return String(this.sent[index]?.["context"]);
  }

  #finish(end: { readonly error?: Error }): void {
    this.#end ??= end;
    this.#wake();
  }

  #wake(): void {
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  }
}
