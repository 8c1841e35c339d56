import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Reaper } from "../../deploy/local/components/reaper.ts";

/** A child process that takes orders and sends reports. It ends when it is disconnected. */
export interface ReportingProcess<Order, Report extends { readonly type: string }> extends AsyncDisposable {
  readonly pid: number;
  order(message: Order): void;
  /**
   * Returns the next report of this type. Those of other types are kept.
   *
   * @throws Error if the process has ended
   */
  next<Type extends Report["type"]>(type: Type): Promise<Extract<Report, { type: Type }>>;
}

/** Starts a module of this directory as a process. */
export function startReportingProcess<Order extends object, Report extends { readonly type: string }>(
  module: string,
  reaper: Reaper,
): ReportingProcess<Order, Report> {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)));
  const pid = Number(child.pid);
  const leftover = { type: "pid", pid } as const;
  reaper.add(leftover);
  const kept = new Map<string, Report[]>();
  let news = Promise.withResolvers<void>();
  const wake = (): void => {
    news.resolve();
    news = Promise.withResolvers();
  };
  child.on("message", (report: Report) => {
    const reports = kept.get(report.type) ?? [];
    reports.push(report);
    kept.set(report.type, reports);
    wake();
  });
  const exited = once(child, "exit").then(wake);
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    pid,
    order: (message) => void child.send(message),
    async next<Type extends Report["type"]>(type: Type) {
      for (;;) {
        const report = kept.get(type)?.shift();
        if (report !== undefined) {
          return report as Extract<Report, { type: Type }>;
        }
        if (!isRunning()) {
          throw new Error(`${module}: expected the report "${type}", found the end of the process`);
        }
        await news.promise;
      }
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
