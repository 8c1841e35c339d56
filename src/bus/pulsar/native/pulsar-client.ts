/**
 * The part of the package `pulsar-client` that is used. It is declared here because the package is optional
 * and can be absent when this is compiled. Its errors have a text that ends with the name of a result, and no
 * code.
 */
export interface PulsarClientPackage {
  readonly Client: {
    new (config: PulsarClientConfig): PulsarClient;
    /** Sets the handler of the whole process. */
    setLogHandler(handler: (level: number, file: string, line: number, message: string) => void): void;
  };
  readonly AuthenticationToken: new (options: { readonly token: () => string }) => object;
}

export interface PulsarClientConfig {
  readonly serviceUrl: string;
  readonly operationTimeoutSeconds: number;
  /** 2 is WARN, 3 is ERROR. */
  readonly logLevel: number;
  readonly authentication?: object;
  readonly tlsTrustCertsFilePath?: string;
  readonly tlsValidateHostname: boolean;
}

/**
 * A client. It connects when a producer or consumer is created. Its threads keep the process alive until
 * `close`.
 */
export interface PulsarClient {
  createProducer(config: ProducerConfig): Promise<PulsarProducer>;
  subscribe(config: ConsumerConfig): Promise<PulsarConsumer>;
  getPartitionsForTopic(topic: string): Promise<readonly string[]>;
  close(): Promise<null>;
}

export interface ProducerConfig {
  readonly topic: string;
  readonly sendTimeoutMs: number;
  readonly maxPendingMessages: number;
  /** True would block the event loop. */
  readonly blockIfQueueFull: false;
  readonly batchingEnabled: false;
  /** The default differs from that of other clients. */
}

/** A producer. It reconnects, and sends messages without a receipt again. */
export interface PulsarProducer {
  send(message: {
    readonly data: Buffer;
    readonly partitionKey: string;
    readonly properties: Record<string, string>;
  }): Promise<unknown>;
  isConnected(): boolean;
  close(): Promise<null>;
}

export interface ConsumerConfig {
  readonly topic: string;
  readonly subscription: string;
  readonly subscriptionType: "KeyShared";
  readonly receiverQueueSize: number;
  readonly receiverQueueSizeAcrossPartitions: number;
  /** Time until a message that was given back is delivered again; its default is a minute. */
  readonly nAckRedeliverTimeoutMs: number;
}

/** A consumer. It reconnects; then its unacknowledged messages are delivered again. */
export interface PulsarConsumer {
  /**
   * Returns the next message. Without a timeout, because a timeout would block a thread of Node's shared
   * pool.
   */
  receive(): Promise<PulsarMessage>;
  /** Resolves before the acknowledgement is sent. `close` sends the waiting ones. */
  acknowledgeId(id: PulsarMessageId): Promise<null>;
  /** Gives a message back. */
  negativeAcknowledgeId(id: PulsarMessageId): void;
  isConnected(): boolean;
  close(): Promise<null>;
}

export interface PulsarMessage {
  getPartitionKey(): string;
  getData(): Buffer;
  /** Returns an array that has the properties as members. */
  getProperties(): Record<string, string>;
  getRedeliveryCount(): number;
  getMessageId(): PulsarMessageId;
}

export interface PulsarMessageId {
  /** Returns "(ledger,entry,partition,batch index)", with -1 for an absent part. */
  toString(): string;
}
