import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  type HelloSchema,
  type SyncRequest,
  SyncRequestSchema,
  type SyncResponse,
  SyncService,
} from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { BoundedQueue } from "../../../src/lib/bounded-queue.ts";

/** A message of the agent, without its number. */
export type Said = NonNullable<MessageInitShape<typeof SyncRequestSchema>["message"]>;

/** An agent that says what a test tells it to, over a real port with the generated client. */
export class ScriptedAgent implements AsyncDisposable {
  readonly #requests = new BoundedQueue<SyncRequest>({ maxItems: 10_000, maxBytes: 1 }, () => 0);
  readonly #stop = new AbortController();
  readonly #responses: AsyncIterator<SyncResponse>;
  #sequence = 0n;

  /** Connects; with a token, where somebody asks for one. */
  constructor(url: string, token?: string) {
    const client = createClient(SyncService, createGrpcTransport({ baseUrl: url }));
    const requests = this.#requests.take(this.#stop.signal);
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#responses = client.sync(requests, { signal: this.#stop.signal, headers })[Symbol.asyncIterator]();
  }

  /** Says Hello and gives the epoch of the Welcome. */
  async open(hello: MessageInitShape<typeof HelloSchema> = {}): Promise<bigint> {
    const value = {
      cluster: "c1",
      clusterUid: "uid-1",
      instanceId: "agent-1",
      agentVersion: "test",
      ...hello,
    };
    this.sayAs(0n, { case: "hello", value });
    const { message } = await this.next();
    if (message.case !== "welcome") {
      throw new Error(`expected welcome, found ${message.case}`);
    }
    return message.value.epoch;
  }

  /** Number of the message said last. */
  get sequence(): bigint {
    return this.#sequence;
  }

  /** Says the message with the next number, and gives the number. */
  say(message: Said): bigint {
    this.#sequence += 1n;
    this.sayAs(this.#sequence, message);
    return this.#sequence;
  }

  /** Says the message with a number of the test's choice. */
  sayAs(sequence: bigint, message: Said): void {
    this.#requests.offer(create(SyncRequestSchema, { sequence, message }));
  }

  /** The next message of the backend; rejects with the error that ended the session, or when it ended without. */
  async next(): Promise<SyncResponse> {
    const { value, done } = await this.#responses.next();
    if (done === true) {
      throw new Error("the session has ended");
    }
    return value;
  }

  /** Reads until everything up to this number is acknowledged. */
  async acknowledged(sequence = this.#sequence): Promise<void> {
    for (;;) {
      const { message } = await this.next();
      if (message.case === "acknowledgement" && message.value.sequence >= sequence) {
        return;
      }
    }
  }

  /** Ends its side of the stream, as an agent that stops in good order. */
  end(): void {
    this.#requests.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the agent is gone"));
    await this.#responses.next().catch(() => {});
  }
}
