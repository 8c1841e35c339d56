import type { Authenticator } from "./authenticator.ts";

/** Account of callers that are not authenticated. */
export const ANONYMOUS_ACCOUNT = "default";

/** Takes every caller for {@link ANONYMOUS_ACCOUNT}. For a server that only this machine can reach. */
export function createAnonymousAuthenticator(): Authenticator {
  return { authenticate: async () => ({ account: ANONYMOUS_ACCOUNT }) };
}
