import { fork } from "node:child_process";
import { on, once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Reaper } from "../../deploy/local/components/reaper.ts";
import type { ApiOrder, ApiReport } from "./api-messages.ts";

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
  const child = fork(fileURLToPath(new URL("api-process.ts", import.meta.url)));
  const leftover = { type: "pid", pid: Number(child.pid) } as const;
  reaper.add(leftover);
  const exited = once(child, "exit");
  const reports = on(child, "message") as AsyncIterableIterator<[ApiReport]>;
  const next = async <Type extends ApiReport["type"]>(
    type: Type,
  ): Promise<Extract<ApiReport, { type: Type }>> => {
    const { value } = await reports.next();
    const [report] = value as [ApiReport];
    if (report.type !== type) {
      throw new Error(`API server process: expected the report "${type}", found "${report.type}"`);
    }
    return report as Extract<ApiReport, { type: Type }>;
  };
  const order = (message: ApiOrder): boolean => child.send(message);
  const { url } = await next("listening");
  return {
    url,
    async fill(count, contentBytes, first = 0) {
      order({ type: "fill", first, count, contentBytes });
      await next("filled");
    },
    async createConfigMaps(names, value) {
      order({ type: "configMaps", names, value });
      await next("filled");
    },
    async define(count, isForbidden) {
      order({ type: "define", count, isForbidden });
      await next("filled");
    },
    async *change(count, everyMs) {
      order({ type: "change", count, everyMs });
      for (let left = count; left > 0; left--) {
        yield await next("changed");
      }
    },
    async [Symbol.asyncDispose]() {
      child.disconnect();
      await exited;
      reaper.remove(leftover);
    },
  };
}
