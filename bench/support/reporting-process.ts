import { fork } from "node:child_process";
import { on, once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Reaper } from "../../deploy/local/components/reaper.ts";

/** A child process that takes orders and sends reports. It ends when it is disconnected. */
export interface ReportingProcess<Order, Report extends { readonly type: string }> extends AsyncDisposable {
  order(message: Order): void;
  /**
   * Waits for the next report.
   *
   * @throws Error if it has another type
   */
  next<Type extends Report["type"]>(type: Type): Promise<Extract<Report, { type: Type }>>;
}

/** Starts a module of this directory as a process. */
export function startReportingProcess<Order extends object, Report extends { readonly type: string }>(
  module: string,
  reaper: Reaper,
): ReportingProcess<Order, Report> {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)));
  const leftover = { type: "pid", pid: Number(child.pid) } as const;
  reaper.add(leftover);
  const exited = once(child, "exit");
  const reports = on(child, "message", { close: ["exit"] }) as AsyncIterableIterator<[Report]>;
  return {
    order: (message) => void child.send(message),
    async next<Type extends Report["type"]>(type: Type) {
      const { value, done } = await reports.next();
      const report = done === true ? undefined : (value as [Report])[0];
      if (report?.type !== type) {
        throw new Error(`${module}: expected the report "${type}", found ${JSON.stringify(report?.type)}`);
      }
      return report as Extract<Report, { type: Type }>;
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) {
        child.disconnect();
      }
      await exited;
      reaper.remove(leftover);
    },
  };
}
