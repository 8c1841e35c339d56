import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { TokenSource } from "../lib/token-source.ts";
import { createTokenInterceptor } from "../rpc/client/token-interceptor.ts";

/** Calls FleetService. */
export type FleetClient = Client<typeof FleetService>;

/** A client of the server. Where no server answers, the error says what to do. */
export async function createFleetClient(
  baseUrl: string,
  token: TokenSource | undefined,
): Promise<FleetClient> {
  // Loaded here, because it takes longer than all else together, and --help needs none of it.
  const { createConnectTransport } = await import("@connectrpc/connect-node");
  const interceptors = [
    createReachInterceptor(baseUrl),
    ...(token === undefined ? [] : [createTokenInterceptor(token)]),
  ];
  return createClient(FleetService, createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors }));
}

function createReachInterceptor(baseUrl: string): Interceptor {
  return (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      throw isUnreachable(error) ? toUnreachable(baseUrl, error) : error;
    }
  };
}

/** No answer at all, as opposed to a server that answers UNAVAILABLE. */
function isUnreachable(error: unknown): error is ConnectError {
  return error instanceof ConnectError && error.code === Code.Unavailable && error.cause !== undefined;
}

function toUnreachable(baseUrl: string, error: ConnectError): ConnectError {
  const message = `no server answers at ${baseUrl}: start one with "evenkeel dev", or name another with --server`;
  return new ConnectError(message, Code.Unavailable, undefined, undefined, error);
}
