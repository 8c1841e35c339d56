import * as z from "zod/mini";
import type { ValueType } from "./value-types.ts";

const millisecondsPer = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const bytesPer = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** A length of time, in milliseconds; written "500ms", "10s", "10m", "1h30m", "7d". Longer than none. */
export const duration: ValueType<number> = {
  schema: toQuantity(millisecondsPer),
  expected: 'a duration such as "10s", "10m" or "1h30m"',
  fromText: (value) => value,
  placeholder: "duration",
};

/** A size, in bytes; written "512KiB", "4MiB". More than none. */
export const byteSize: ValueType<number> = {
  schema: toQuantity(bytesPer),
  expected: 'a size such as "512KiB" or "4MiB"',
  fromText: (value) => value,
  placeholder: "size",
};

/** Whole numbers with units, added up. A number without a unit is refused: it would mean what each reader likes. */
function toQuantity(units: Readonly<Record<string, number>>): z.ZodMiniType<number> {
  const unit = Object.keys(units).join("|");
  const whole = new RegExp(`^(\\d{1,9}(${unit}))+$`);
  const part = new RegExp(`(\\d+)(${unit})`, "g");
  const sum = (value: string): number =>
    value
      .matchAll(part)
      .reduce((total, [, count, name = ""]) => total + Number(count) * (units[name] ?? 0), 0);
  return z.pipe(z.string().check(z.regex(whole)), z.pipe(z.transform(sum), z.int().check(z.minimum(1))));
}
