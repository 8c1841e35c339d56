import type { Scenario } from "./scenario.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

/** Delay of each chunk of bytes, in milliseconds. */
const DELAY_MS = 150;

/**
 * Delays and cuts the connections of a link, loses the bytes of each direction, and resets the connections on the
 * client's side only. The link is healed then, except that servers may still hold connections of clients that have
 * left.
 */
export async function disturb({ pause }: Scenario, link: TcpProxy): Promise<void> {
  link.delay(DELAY_MS);
  await pause(3_000);
  link.cut();
  await pause(2_000);
  link.heal();
  await pause(3_000);
  for (const direction of ["toServer", "toClient"] as const) {
    link.passOnly(direction);
    await pause(2_000);
    // The outcome of requests on the way stays unknown.
    link.cut();
    link.heal();
    await pause(2_000);
  }
  link.halfOpen("client");
  await pause(2_000);
}

/**
 * Leaves the present connections of a link open and silent: for both sides, or for the client only, while the server
 * loses them. Only a time limit of the program ends them.
 */
export function silence({ random }: Scenario, link: TcpProxy): void {
  if (random.float() < 0.5) {
    link.freeze();
  } else {
    link.halfOpen("server");
  }
}
