import { randomUUID } from "node:crypto";
import { createPulsarAdmin } from "../../../src/bus/pulsar/admin/create-pulsar-admin.ts";
import { createAdminTransport } from "../../../src/bus/pulsar/admin/http-transport.ts";
import type { PulsarAdmin } from "../../../src/bus/pulsar/admin/pulsar-admin.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";

/** Returns a unique name for a tenant. */
export function newTenant(): string {
  return `t-${randomUUID()}`;
}

/** Administers a tenant of the broker at `adminUrl`, without authentication. */
export function administer(adminUrl: string, tenant: string): PulsarAdmin {
  const clock = createSystemClock();
  return createPulsarAdmin(createAdminTransport({ adminUrl }, clock), tenant, clock);
}
