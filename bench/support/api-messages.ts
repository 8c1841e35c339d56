/** What the API server's process is asked to do. */
export type ApiOrder =
  | { readonly kind: "fill"; readonly count: number; readonly contentBytes: number }
  | { readonly kind: "change"; readonly count: number; readonly everyMs: number };

/** What the API server's process says. */
export type ApiReport =
  | { readonly kind: "listening"; readonly url: string }
  | { readonly kind: "filled" }
  | {
      readonly kind: "changed";
      /** The object's new resourceVersion. */
      readonly version: string;
      /** `process.hrtime.bigint()` just before; the clock is the machine's, the same in all processes. */
      readonly at: string;
    };
