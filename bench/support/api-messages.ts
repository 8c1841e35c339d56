/** Order to the process of the API server. */
export type ApiOrder =
  | {
      readonly type: "fill";
      readonly first: number;
      readonly count: number;
      readonly contentBytes: number;
    }
  | { readonly type: "change"; readonly count: number; readonly everyMs: number }
  /** Creates ConfigMaps with one value. */
  | { readonly type: "configMaps"; readonly names: readonly string[]; readonly value: string }
  /** Creates custom resource types without objects. */
  | { readonly type: "define"; readonly count: number; readonly isForbidden: boolean };

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
