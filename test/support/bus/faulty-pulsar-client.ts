import type {
  ConsumerConfig,
  ProducerConfig,
  PulsarClient,
  PulsarClientConfig,
  PulsarClientPackage,
  PulsarConsumer,
  PulsarProducer,
} from "../../../src/bus/pulsar/native/pulsar-client.ts";

/** Pulsar's client with injected faults of broker and network. */
export interface FaultyPulsarClient {
  readonly pulsar: PulsarClientPackage;
  /** Makes the next message fail: not sent, or stored without a receipt in time. */
  failNextSend(how: "refuse" | "storeUnknown"): void;
  /** Disconnects the subscription's consumers permanently. */
  cutOff(topic: string, subscription: string): Promise<void>;
}

/**
 * Wraps the client at its own interface: it bypasses proxies, because it connects to the address that the
 * broker advertises.
 */
export function createFaultyPulsarClient(real: PulsarClientPackage): FaultyPulsarClient {
  let failure: "refuse" | "storeUnknown" | undefined;
  const consumers = new Set<{ readonly config: ConsumerConfig; cut(): Promise<unknown> }>();

  const wrapProducer = (producer: PulsarProducer): PulsarProducer => ({
    async send(message) {
      const how = failure;
      failure = undefined;
      if (how === "refuse") {
        throw new Error("Failed to send message: MessageTooBig");
      }
      const receipt = await producer.send(message);
      if (how === "storeUnknown") {
        throw new Error("Failed to send message: TimeOut");
      }
      return receipt;
    },
    isConnected: () => producer.isConnected(),
    close: () => producer.close(),
  });

  const wrapConsumer = (config: ConsumerConfig, consumer: PulsarConsumer): PulsarConsumer => {
    let isCut = false;
    consumers.add({
      config,
      cut() {
        isCut = true;
        return consumer.close();
      },
    });
    return {
      receive: () => consumer.receive(),
      acknowledgeId: (id) => consumer.acknowledgeId(id),
      negativeAcknowledgeId: (id) => consumer.negativeAcknowledgeId(id),
      isConnected: () => !isCut && consumer.isConnected(),
      close: () => consumer.close(),
    };
  };

  class FaultyClient implements PulsarClient {
    readonly #client: PulsarClient;

    constructor(config: PulsarClientConfig) {
      this.#client = new real.Client(config);
    }

    static setLogHandler = real.Client.setLogHandler;

    async createProducer(config: ProducerConfig): Promise<PulsarProducer> {
      return wrapProducer(await this.#client.createProducer(config));
    }

    async subscribe(config: ConsumerConfig): Promise<PulsarConsumer> {
      return wrapConsumer(config, await this.#client.subscribe(config));
    }

    getPartitionsForTopic(topic: string): Promise<readonly string[]> {
      return this.#client.getPartitionsForTopic(topic);
    }

    close(): Promise<null> {
      return this.#client.close();
    }
  }

  return {
    pulsar: { ...real, Client: FaultyClient },
    failNextSend(how) {
      failure = how;
    },
    async cutOff(topic, subscription) {
      const cut = [...consumers].filter(
        ({ config }) => config.topic.endsWith(`/${topic}`) && config.subscription === subscription,
      );
      await Promise.all(cut.map((consumer) => consumer.cut()));
    },
  };
}
