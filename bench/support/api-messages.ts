/** What the API server's process is asked to do. */
export type ApiOrder =
  | { readonly type: "fill"; readonly count: number; readonly contentBytes: number }
  | { readonly type: "change"; readonly count: number; readonly everyMs: number };

/** What the API server's process says. */
export type ApiReport =
  | { readonly type: "listening"; readonly url: string }
  | { readonly type: "filled" }
  | {
      readonly type: "changed";
      /** The object's new resourceVersion. */
      readonly version: string;
      /** `process.hrtime.bigint()` just before; the clock is the machine's, the same in all processes. */
      readonly at: string;
    };
