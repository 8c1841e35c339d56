import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import type { Command } from "commander";
import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { clientProgram } from "../config/programs/client.ts";
import { isExposed } from "../config/value-types.ts";
import { createTokenSource, type TokenSource } from "../lib/token-source.ts";
import { createTokenInterceptor } from "../rpc/client/sync-client.ts";
import type { CliContext } from "./context.ts";
import { addConfigOptions, configOf, createOutputOption } from "./options.ts";
import type { OutputFormat } from "./output/message.ts";

/** Calls FleetService. */
export type FleetClient = Client<typeof FleetService>;

/** Creates a client of the server. If no server answers, the error names the remedy. */
async function createFleetClient(baseUrl: string, token: TokenSource | undefined): Promise<FleetClient> {
  // Loaded here because it takes most of the start-up time, and --help does not need it.
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
      throw toNamedError(baseUrl, error);
    }
  };
}

/** Returns an error that names the server and the remedy if the call ended without an answer of a server. */
function toNamedError(baseUrl: string, error: unknown): unknown {
  if (!(error instanceof ConnectError) || error.cause === undefined) {
    return error;
  }
  if (error.code === Code.Unavailable) {
    const message = `no server answers at ${baseUrl}; start one with "evenkeel dev", or set --server`;
    return new ConnectError(message, Code.Unavailable, undefined, undefined, error);
  }
  if (error.cause instanceof Error && "syscall" in error.cause) {
    const message = `the connection to ${baseUrl} broke: ${error.rawMessage}; try again, or check --server`;
    return new ConnectError(message, Code.Aborted, undefined, undefined, error);
  }
  return error;
}

/** Client and output format of a command that calls a server. */
export interface ClientCall {
  readonly client: FleetClient;
  readonly format: OutputFormat;
}

/** Adds the flags of a command that calls a server: `--server`, `--token-file`, `--config` and `--output`. */
export function addClientOptions(command: Command): Command {
  command.addOption(createOutputOption());
  return addConfigOptions(command, clientProgram);
}

/** Returns client and output format for a command's flags. */
export async function toClientCall(command: Command, context: CliContext): Promise<ClientCall> {
  const { server, token, tokenFile } = configOf(clientProgram, command, context);
  const source = createTokenSource({ token, tokenFile });
  if (source !== undefined && isExposed(server)) {
    context.printError(`The token is sent to ${server} without TLS: others may read it on the network.\n`);
  }
  // `choices` has refused everything else.
  const { output } = command.opts<{ output: OutputFormat }>();
  return { client: await createFleetClient(server, source), format: output };
}

/** A page of a list. */
interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

// The most that a server gives at once.
const maxPageSize = 1000;

/** Up to `limit` entries of a list, page by page. */
export async function readAllPages<T>(
  limit: number,
  fetchPage: (pageSize: number, pageToken: string) => Promise<Page<T>>,
): Promise<T[]> {
  const items: T[] = [];
  let pageToken = "";
  do {
    const page = await fetchPage(Math.min(maxPageSize, limit - items.length), pageToken);
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && items.length < limit);
  return items;
}
