import type { Random } from "../../src/lib/random.ts";
import { between } from "./chance.ts";
import type { Peaks } from "./peaks.ts";
import { SimulatedProcess } from "./process.ts";
import type { Trace } from "./trace.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface HostOptions {
  readonly name: string;
  readonly time: VirtualTime;
  readonly trace: Trace;
  readonly random: Random;
  readonly peaks: Peaks;
  readonly skewMs?: number;
  /** Runs the program until the process is requested to stop. */
  readonly program: (process: SimulatedProcess) => Promise<void>;
}

/** Runs one program, and starts it again whenever it has died or ended, as Kubernetes does. */
export class Host {
  readonly name: string;
  readonly #options: HostOptions;
  #process: SimulatedProcess | undefined;
  #starts = 0;
  #isDown = false;

  constructor(options: HostOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** The running process. */
  get process(): SimulatedProcess | undefined {
    return this.#process;
  }

  start(): void {
    const { name, program, ...options } = this.#options;
    const { time, trace, random } = options;
    this.#starts += 1;
    const process = new SimulatedProcess({ ...options, name: `${name}#${this.#starts}` });
    this.#process = process;
    trace.add(process.name, "started");
    const restart = (): void => {
      if (this.#process === process) {
        this.#process = undefined;
        time.schedule(between(random, 100, 3_000), () => {
          if (!this.#isDown && this.#process === undefined) {
            this.start();
          }
        });
      }
    };
    process.onDeath(restart);
    program(process).then(
      () => {
        trace.add(process.name, "ended");
        restart();
      },
      (error: unknown) => {
        trace.add(process.name, `failed: ${error}`);
        restart();
      },
    );
  }

  /** Ends the process in order. It starts again. */
  stop(): void {
    this.#process?.stop.abort(new Error("SIGTERM"));
  }

  /** Ends the process for good. */
  remove(): void {
    this.#isDown = true;
    this.#process?.stop.abort(new Error("SIGTERM"));
  }
}
