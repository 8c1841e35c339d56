import type { Clock } from "../../../lib/clock.ts";
import { createTokenSource } from "../../../lib/token-source.ts";
import type { BusSettings } from "../../settings.ts";
import type { PulsarAdmin } from "./pulsar-admin.ts";

/** Opens the admin API at `adminUrl` for the tenant of the settings. Sends no request. */
export async function openPulsarAdmin(
  { clock }: { readonly clock: Clock },
  bus: BusSettings,
  adminUrl: string,
): Promise<PulsarAdmin> {
  const { createAdminTransport } = await import("./http-transport.ts");
  const { createPulsarAdmin } = await import("./create-pulsar-admin.ts");
  const { trustCertsFile } = bus;
  const endpoint = { adminUrl, trustCertsFile, readToken: createTokenSource(bus)?.read };
  return createPulsarAdmin(createAdminTransport(endpoint, clock), bus.tenant, clock);
}
