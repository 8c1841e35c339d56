import { type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { field as fieldRules } from "../../gen/proto/buf/validate/validate_pb.ts";
import { InvalidArgumentError } from "../lib/errors.ts";

/**
 * Most fields of one message, those of nested messages and unknown ones included. It becomes an object or a text of
 * about 100 bytes each. The largest batch, of 5,000 objects, has 75,000.
 */
const MAX_FIELDS = 500_000;

/** Most elements of a list for which the contract states no limit: its largest one. */
const DEFAULT_MAX_ITEMS = 5_000;

/**
 * Asserts that an encoded message can be decoded in little memory: counts its fields and the elements of its lists,
 * without an object for each. Reads each byte at most once, and no more after the first violation.
 *
 * @throws InvalidArgumentError for too many of them, another error for what is not Protobuf
 */
export function assertDecodable(schema: DescMessage, bytes: Uint8Array): void {
  scan(schema, bytes, "", { fields: 0 });
}

function scan(schema: DescMessage, bytes: Uint8Array, path: string, total: { fields: number }): void {
  const plan = planOf(schema);
  const counts = new Map<number, number>();
  for (const reader = new BinaryReader(bytes); reader.pos < reader.len; ) {
    const [number, type] = reader.tag();
    const field = plan.get(number);
    total.fields += 1;
    if (total.fields > MAX_FIELDS) {
      throw tooMany("", `${MAX_FIELDS} fields`);
    }
    if (field?.maxItems !== undefined) {
      const count = (counts.get(number) ?? 0) + 1;
      counts.set(number, count);
      if (count > field.maxItems) {
        throw tooMany(`${path}${field.name}`, `${field.maxItems} elements`);
      }
    }
    if (field?.message !== undefined && type === WireType.LengthDelimited) {
      scan(field.message, reader.bytes(), `${path}${field.name}.`, total);
    } else {
      reader.skip(type, number);
    }
  }
}

function tooMany(field: string, most: string): InvalidArgumentError {
  return new InvalidArgumentError([{ field, description: `expected at most ${most}, found more` }]);
}

/** Properties of a field for the scan. */
interface FieldPlan {
  readonly name: string;
  /** Set for a list. */
  readonly maxItems: number | undefined;
  /** Set for a message or a list of messages. */
  readonly message: DescMessage | undefined;
}

type Plan = ReadonlyMap<number, FieldPlan>;

const plans = new Map<DescMessage, Plan>();

function planOf(schema: DescMessage): Plan {
  const known = plans.get(schema);
  if (known !== undefined) {
    return known;
  }
  const plan = new Map(schema.fields.map((field) => [field.number, toFieldPlan(field)]));
  plans.set(schema, plan);
  return plan;
}

function toFieldPlan(field: DescField): FieldPlan {
  const { name, message } = field;
  return { name, message, maxItems: field.fieldKind === "list" ? maxItemsOf(field) : undefined };
}

function maxItemsOf(field: DescField): number {
  const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules).type : undefined;
  const stated = rules?.case === "repeated" ? Number(rules.value.maxItems) : 0;
  return stated === 0 ? DEFAULT_MAX_ITEMS : stated;
}
