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

/** A message of the agent, without its sequence. */
export type ScriptedMessage = NonNullable<MessageInitShape<typeof SyncRequestSchema>["message"]>;

/** An agent that sends the messages of a test, over a real port with the generated client. */
export class ScriptedAgent implements AsyncDisposable {
  readonly #requests = new BoundedQueue<SyncRequest>({ maxItems: 10_000, maxBytes: 1 }, () => 0);
  readonly #stop = new AbortController();
  readonly #responses: AsyncIterator<SyncResponse>;
  #sequence = 0n;

  /** Connects, with a token if the server requires one. */
  constructor(url: string, token?: string) {
    const client = createClient(SyncService, createGrpcTransport({ baseUrl: url }));
    const requests = this.#requests.take(this.#stop.signal);
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#responses = client.sync(requests, { signal: this.#stop.signal, headers })[Symbol.asyncIterator]();
  }

  /** Sends the Hello of another process, and reads that it waits as a standby. */
  async park(instanceId = "agent-2", hello: MessageInitShape<typeof HelloSchema> = {}): Promise<void> {
    this.#hello({ ...hello, instanceId });
    const { message } = await this.next();
    if (message.case !== "standby") {
      throw new Error(`expected standby, found ${message.case}`);
    }
  }

  /** Sends Hello and returns the epoch of the Welcome. */
  async open(hello: MessageInitShape<typeof HelloSchema> = {}): Promise<bigint> {
    this.#hello(hello);
    const { message } = await this.next();
    if (message.case !== "welcome") {
      throw new Error(`expected welcome, found ${message.case}`);
    }
    return message.value.epoch;
  }

  #hello(hello: MessageInitShape<typeof HelloSchema>): void {
    const value = {
      cluster: "c1",
      clusterUid: `uid of ${hello.cluster ?? "c1"}`,
      instanceId: "agent-1",
      agentVersion: "test",
      ...hello,
    };
    this.sendAs(0n, { case: "hello", value });
  }

  /** Sequence of the latest message. */
  get sequence(): bigint {
    return this.#sequence;
  }

  /** Sends the message with the next sequence, and returns the sequence. */
  send(message: ScriptedMessage): bigint {
    this.#sequence += 1n;
    this.sendAs(this.#sequence, message);
    return this.#sequence;
  }

  /** Sends the message with a sequence that the test chooses. */
  sendAs(sequence: bigint, message: ScriptedMessage): void {
    this.#requests.offer(create(SyncRequestSchema, { sequence, message }));
  }

  /**
   * Returns the next message of the backend; rejects with the error of the session, or if the session ended
   * without one.
   */
  async next(): Promise<SyncResponse> {
    const { value, done } = await this.#responses.next();
    if (done === true) {
      throw new Error("the session has ended");
    }
    return value;
  }

  /** Reads until all messages up to this sequence are acknowledged. */
  async acknowledged(sequence = this.#sequence): Promise<void> {
    for (;;) {
      const { message } = await this.next();
      if (message.case === "acknowledgement" && message.value.sequence >= sequence) {
        return;
      }
    }
  }

  /** Ends its side of the stream, as an agent does on a graceful stop. */
  end(): void {
    this.#requests.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the agent has disconnected"));
    await this.#responses.next().catch(() => {});
  }
}
