import type { DescEnum } from "@bufbuild/protobuf";

/** A value's name without its enum's: "SUCCEEDED". One that this version does not know shows as its number. */
export function formatEnum(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName ?? String(value);
}
