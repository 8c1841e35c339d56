import { formatKind } from "../domain/resource-type.ts";
import type { ObjectContent } from "./object-content.ts";
import type { KindContext } from "./resource-context.ts";

/** Logs and counts an object whose content cannot travel. */
export function reportQuarantined(
  { kind, log, counters }: KindContext,
  key: string,
  { quarantineReason: reason }: ObjectContent,
): void {
  if (reason !== "") {
    counters.quarantined++;
    log.error("an object is sent without its content", { kind: formatKind(kind), key, reason });
  }
}
