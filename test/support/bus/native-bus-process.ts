import { openBus } from "../../../src/bus/open-bus.ts";
import { busDependencies } from "./bus-dependencies.ts";

/** A program that publishes a message with a token and closes its bus. It must end by itself. */
const [url = "", tenant = "", topic = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const bus = await openBus({ url, tenant, token: "nobody asks for it" }, busDependencies);
const producer = await bus.createProducer(signal, topic);
await producer.publish(signal, { key: "k", payload: Uint8Array.of(1) });
await bus.close();
