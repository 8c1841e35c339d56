import { toAdminUrl } from "../../../config/fields/admin-url.ts";
import type { BusConfig } from "../../../config/fields/bus.ts";
import type { Clock } from "../../../lib/clock.ts";
import { createTokenSource } from "../../../lib/token-source.ts";
import type { PulsarAdmin } from "./pulsar-admin.ts";

/** Administers the tenant that is configured. Asks nothing yet. */
export async function openPulsarAdmin(
  { clock }: { readonly clock: Clock },
  bus: BusConfig,
): Promise<PulsarAdmin> {
  const adminUrl = toAdminUrl(bus);
  const { createNodeTransport } = await import("./http-transport.ts");
  const { createPulsarAdmin } = await import("./create-pulsar-admin.ts");
  const { trustCertsFile } = bus;
  const endpoint = { adminUrl, trustCertsFile, readToken: createTokenSource(bus)?.read };
  return createPulsarAdmin(createNodeTransport(endpoint, clock), bus.tenant, clock);
}
