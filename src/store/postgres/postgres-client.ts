import type { Duplex } from "node:stream";
import pg from "pg";
import type { ConnectionOptions } from "./connection-options.ts";

/** The members of the driver's connection that its types lack. */
interface DriverConnection {
  readonly stream: Duplex;
  connect(port: number | string, host?: string): void;
  attachListeners(stream: Duplex): void;
  emit(event: "sslconnect"): boolean;
}

/** Answer of a server without TLS to the request for it: "N". */
const WITHOUT_TLS = Buffer.from("N");

/** A client that goes on without TLS if that is optional and the server has none. The driver alone would fail. */
export class PostgresClient extends pg.Client {
  constructor(options: ConnectionOptions) {
    super(options);
    if (options.isTlsOptional) {
      acceptPlainText(this.connection as unknown as DriverConnection);
    }
  }
}

function acceptPlainText(connection: DriverConnection): void {
  const connect = connection.connect.bind(connection);
  connection.connect = (port, host) => {
    connect(port, host);
    const { stream } = connection;
    const listeners = stream.listeners("data");
    stream.removeAllListeners("data");
    stream.once("data", (answer: Buffer) => {
      if (answer.equals(WITHOUT_TLS)) {
        connection.attachListeners(stream);
        // The client sends its first message now.
        connection.emit("sslconnect");
      } else {
        for (const listener of listeners) {
          listener.call(stream, answer);
        }
      }
    });
  };
}
