import type { DescEnum, EnumShape } from "@bufbuild/protobuf";

/** The enum's value of a name as rows have it, "SUCCEEDED"; 0, unspecified, for a name of a newer version. */
export function enumFromName<Desc extends DescEnum>(schema: Desc, name: string): EnumShape<Desc> {
  const number = schema.values.find(({ localName }) => localName === name)?.number ?? 0;
  // Every number is a value of an open enum.
  return number as EnumShape<Desc>;
}
