/**
 * What is used of the package `pulsar-client`. Declared here because the package, optional as it is, need not be there
 * when this is compiled. Its errors have a text that ends in the name of a result, and no code.
 */
export interface PulsarClientPackage {
  readonly Client: {
    new (config: PulsarClientConfig): PulsarClient;
    /** One for the whole process. */
    setLogHandler(handler: (level: number, file: string, line: number, message: string) => void): void;
  };
  readonly AuthenticationToken: new (options: { readonly token: () => string }) => object;
}

/** How to reach a broker. Connects when something is made. */
export interface PulsarClientConfig {
  readonly serviceUrl: string;
  readonly operationTimeoutSeconds: number;
  /** 2 is WARN, 3 is ERROR. */
  readonly logLevel: number;
  readonly authentication?: object;
  readonly tlsTrustCertsFilePath?: string;
  readonly tlsValidateHostname: boolean;
}

/** Holds threads that keep the process alive until it is closed. */
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
  /** True would stop the event loop. */
  readonly blockIfQueueFull: false;
  readonly batchingEnabled: false;
  /** The default is another one than that of other clients. */
  readonly hashingScheme: "Murmur3_32Hash";
}

/** Connects again by itself, and sends again what has no receipt. */
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
}

/** Connects again by itself; what was not acknowledged is delivered again then. */
export interface PulsarConsumer {
  /** Never with a timeout, which would block a thread of the pool that Node has for everything. */
  receive(): Promise<PulsarMessage>;
  /** Resolves before anything is sent; what is closed sends what waits. */
  acknowledgeId(id: PulsarMessageId): Promise<null>;
  isConnected(): boolean;
  close(): Promise<null>;
}

export interface PulsarMessage {
  getPartitionKey(): string;
  getData(): Buffer;
  /** An array, with the properties as members. */
  getProperties(): Record<string, string>;
  getRedeliveryCount(): number;
  getMessageId(): PulsarMessageId;
}

export interface PulsarMessageId {
  /** "(ledger,entry,partition,batch index)", -1 for what it has not. */
  toString(): string;
}
