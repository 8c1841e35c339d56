import type { Reaper } from "../../deploy/local/components/reaper.ts";
import type { ApiOrder, ApiReport } from "./api-messages.ts";
import { startReportingProcess } from "./reporting-process.ts";

/** A simulated API server in its own process. */
export interface ApiProcess extends AsyncDisposable {
  readonly url: string;
  /** Creates pods from number `first` on, default 0. The canonical JSON of each has about this many bytes. */
  fill(count: number, contentBytes: number, first?: number): Promise<void>;
  /** Creates ConfigMaps with this value. */
  createConfigMaps(names: readonly string[], value: string): Promise<void>;
  /** Creates custom resource types without objects, which no caller may read if they are forbidden. */
  define(count: number, isForbidden: boolean): Promise<void>;
  /** Changes pods, one every `everyMs`, and yields each change. */
  change(count: number, everyMs: number): AsyncIterable<Extract<ApiReport, { type: "changed" }>>;
}

/** Starts an API server without pods. */
export async function startApiProcess(reaper: Reaper): Promise<ApiProcess> {
  const process = startReportingProcess<ApiOrder, ApiReport>("api-process.ts", reaper);
  const { url } = await process.next("listening");
  return {
    url,
    async fill(count, contentBytes, first = 0) {
      process.order({ type: "fill", first, count, contentBytes });
      await process.next("filled");
    },
    async createConfigMaps(names, value) {
      process.order({ type: "configMaps", names, value });
      await process.next("filled");
    },
    async define(count, isForbidden) {
      process.order({ type: "define", count, isForbidden });
      await process.next("filled");
    },
    async *change(count, everyMs) {
      process.order({ type: "change", count, everyMs });
      for (let left = count; left > 0; left--) {
        yield await process.next("changed");
      }
    },
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}
