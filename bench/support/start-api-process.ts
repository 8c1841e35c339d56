import { fork } from "node:child_process";
import { on, once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Reaper } from "../../deploy/local/components/reaper.ts";
import type { ApiOrder, ApiReport } from "./api-messages.ts";

/** A simulated API server in a process of its own. */
export interface ApiProcess extends AsyncDisposable {
  readonly url: string;
  /** Creates pods whose canonical JSON has about this many bytes. */
  fill(count: number, contentBytes: number): Promise<void>;
  /** Changes pods, one every `everyMs`, and tells of each. */
  change(count: number, everyMs: number): AsyncIterable<Extract<ApiReport, { type: "changed" }>>;
}

/** Starts an API server that has no pods. */
export async function startApiProcess(reaper: Reaper): Promise<ApiProcess> {
  const child = fork(fileURLToPath(new URL("api-process.ts", import.meta.url)));
  const leftover = { type: "pid", pid: Number(child.pid) } as const;
  reaper.add(leftover);
  const exited = once(child, "exit");
  const reports = on(child, "message") as AsyncIterableIterator<[ApiReport]>;
  const next = async <Kind extends ApiReport["type"]>(
    type: Kind,
  ): Promise<Extract<ApiReport, { type: Kind }>> => {
    const { value } = await reports.next();
    const [report] = value as [ApiReport];
    if (report.type !== type) {
      throw new Error(`expected ${type}, the API server's process said ${report.type}`);
    }
    return report as Extract<ApiReport, { type: Kind }>;
  };
  const order = (message: ApiOrder): boolean => child.send(message);
  const { url } = await next("listening");
  return {
    url,
    async fill(count, contentBytes) {
      order({ type: "fill", count, contentBytes });
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
