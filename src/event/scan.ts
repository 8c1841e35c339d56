import { type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { field as fieldRules } from "../../gen/proto/buf/validate/validate_pb.ts";
import { CompressedBatchSchema, EventSchema } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { TerminalError } from "../lib/errors.ts";

/** Largest size of a compressed batch, expanded, in bytes: the contract's limit. */
export const MAX_UNCOMPRESSED_BYTES = 64 * 1024 * 1024;

/**
 * Most fields of one message of the bus, those of nested messages and unknown ones included. It becomes an
 * object or a text of about 100 bytes each. The largest batch, of 5,000 objects, has 75,000.
 */
export const MAX_EVENT_FIELDS = 500_000;

/** Most elements of a list for which the contract states no limit: its largest one. */
const DEFAULT_MAX_ITEMS = 5_000;

const COMPRESSED_BATCH = EventSchema.field.compressedBatch.number;
const UNCOMPRESSED_BYTES = CompressedBatchSchema.field.uncompressedBytes.number;

/**
 * Returns the size of an encoded event with its batch expanded, in bytes. Reads only the fields around the batch. Of
 * what is not an event, returns the size as it is: the decoder refuses it later.
 */
export function expandedBytes(payload: Uint8Array): number {
  try {
    const declared = readDeclaredBytes(new BinaryReader(payload));
    return payload.byteLength + Math.min(declared, MAX_UNCOMPRESSED_BYTES);
  } catch {
    return payload.byteLength;
  }
}

/** Returns the declared size of the event's compressed batch; 0 if it has none. */
function readDeclaredBytes(reader: BinaryReader): number {
  let declared = 0;
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === COMPRESSED_BATCH && type === WireType.LengthDelimited) {
      const batch = new BinaryReader(reader.bytes());
      while (batch.pos < batch.len) {
        const [inner, innerType] = batch.tag();
        if (inner === UNCOMPRESSED_BYTES && innerType === WireType.Varint) {
          declared = batch.uint32();
        } else {
          batch.skip(innerType, inner);
        }
      }
    } else {
      reader.skip(type, number);
    }
  }
  return declared;
}

/**
 * Asserts that an encoded message can be decoded in little memory: counts its fields and the elements of its lists,
 * without an object for each. Reads each byte at most once, and no more after the first violation.
 *
 * @throws TerminalError for too many of them, another error for what is not Protobuf
 */
export function assertDecodable(schema: DescMessage, bytes: Uint8Array): void {
  scan(schema, bytes, { fields: 0 });
}

function scan(schema: DescMessage, bytes: Uint8Array, total: { fields: number }): void {
  const plan = planOf(schema);
  const counts = new Map<number, number>();
  for (const reader = new BinaryReader(bytes); reader.pos < reader.len; ) {
    const [number, type] = reader.tag();
    const field = plan.get(number);
    total.fields += 1;
    if (total.fields > MAX_EVENT_FIELDS) {
      throw new TerminalError(`expected at most ${MAX_EVENT_FIELDS} fields, found more`);
    }
    if (field?.maxItems !== undefined) {
      const count = (counts.get(number) ?? 0) + 1;
      counts.set(number, count);
      if (count > field.maxItems) {
        throw new TerminalError(`${field.name}: expected at most ${field.maxItems} elements, found more`);
      }
    }
    if (field?.message !== undefined && type === WireType.LengthDelimited) {
      scan(field.message, reader.bytes(), total);
    } else {
      reader.skip(type, number);
    }
  }
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
