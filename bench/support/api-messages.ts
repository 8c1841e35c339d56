/** Order to the process of the API server. */
export type ApiOrder =
  | { readonly type: "fill"; readonly count: number; readonly contentBytes: number }
  | { readonly type: "change"; readonly count: number; readonly everyMs: number };

/** Report of the process of the API server. */
export type ApiReport =
  | { readonly type: "listening"; readonly url: string }
  | { readonly type: "filled" }
  | {
      readonly type: "changed";
      /** New resourceVersion of the object. */
      readonly version: string;
      /** `process.hrtime.bigint()` before the change. All processes of the machine share this clock. */
      readonly at: string;
    };
