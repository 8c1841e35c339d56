import type { PulsarAdmin } from "../bus/pulsar-admin/pulsar-admin.ts";
import { toAdminUrl } from "../config/admin-url.ts";
import type { BusConfig } from "../config/bus-fields.ts";
import type { Clock } from "../lib/clock.ts";
import { createTokenSource } from "../lib/token-source.ts";

/** Administers the tenant that is configured. Asks nothing yet. */
export async function openPulsarAdmin(
  { clock }: { readonly clock: Clock },
  bus: BusConfig,
): Promise<PulsarAdmin> {
  const adminUrl = toAdminUrl(bus);
  const { createNodeTransport } = await import("../bus/pulsar-admin/node-transport.ts");
  const { createPulsarAdmin } = await import("../bus/pulsar-admin/create-pulsar-admin.ts");
  const { trustCertsFile } = bus;
  const endpoint = { adminUrl, trustCertsFile, readToken: createTokenSource(bus)?.read };
  return createPulsarAdmin(createNodeTransport(endpoint, clock), bus.tenant, clock);
}
