import type { World } from "../world.ts";
import type { Load } from "./measure-load.ts";

/** Result of an attack or a fault. */
export interface Finding {
  /** Effect on the other account and on the server; unset if the case has other figures. */
  readonly load?: Load;
  /** Other figures, such as the number of refusals, for people. */
  readonly detail: string;
  /** True if the bound of the case holds, apart from that of `load`. */
  readonly holds: boolean;
}

/** One attack or fault, with the bound that must hold. */
export interface IsolationCase {
  /** Number of the row in the table. Several cases may share one. */
  readonly row: number;
  readonly attack: string;
  /** For people; "G" stands for the bounds of {@link Load}. */
  readonly bound: string;
  run(world: World): Promise<Finding>;
}

/** A row that this benchmark does not measure. */
export interface ElsewhereRow {
  readonly row: number;
  readonly attack: string;
  /** The test that measures it, or the reason why none does. */
  readonly place: string;
}
