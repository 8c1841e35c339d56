import { shortenLine } from "./shorten.ts";

/** Lines that a failed test shows. */
const MAX_LINES = 200;
const MAX_LINE_LENGTH = 400;

/** The newest lines that the logs and the programs of a test file have written, in the order of their arrival. */
class TestRecord {
  #lines: string[] = [];
  #dropped = 0;

  /** Adds a line; drops the oldest one above the limit. */
  add(line: string): void {
    this.#lines.push(shortenLine(line, MAX_LINE_LENGTH));
    // In bulk, because `shift` on each line would copy the array each time.
    if (this.#lines.length >= 2 * MAX_LINES) {
      this.#dropped += this.#lines.length - MAX_LINES;
      this.#lines = this.#lines.slice(-MAX_LINES);
    }
  }

  clear(): void {
    this.#lines = [];
    this.#dropped = 0;
  }

  /** Returns the lines as one text; empty if there are none. */
  toText(): string {
    const newest = this.#lines.slice(-MAX_LINES);
    const dropped = this.#dropped + this.#lines.length - newest.length;
    return [...(dropped > 0 ? [`... ${dropped} earlier lines`] : []), ...newest].join("\n");
  }
}

/** The record of the test that runs. One per process is enough: a process runs one test at a time. */
export const testRecord = new TestRecord();
