import type { Authenticator } from "./authenticator.ts";

/** Takes every caller for the account `default`. For a server that only this machine can reach. */
export function createAnonymousAuthenticator(): Authenticator {
  return { authenticate: async () => ({ account: "default" }) };
}
