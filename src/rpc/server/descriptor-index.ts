import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Index by name of the files that describe a set of services. */
export interface DescriptorIndex {
  readonly services: readonly string[];
  /** Returns the file with this name in imports, such as `evenkeel/v1/batch.proto`. */
  fileByName(name: string): DescFile | undefined;
  /** Returns the file that declares a message, field, oneof, enum, enum value, extension, service or method. */
  fileBySymbol(fullName: string): DescFile | undefined;
  /** Returns the known extensions of a message; undefined if there is no such message. */
  extensionsOf(message: string): readonly DescExtension[] | undefined;
}

/** Indexes the files of the services, the other files, and all their direct and indirect imports. */
export function createDescriptorIndex(
  services: readonly DescService[],
  others: readonly DescFile[],
): DescriptorIndex {
  const files = new Map<string, DescFile>();
  for (const root of [...services.map(({ file }) => file), ...others]) {
    for (const file of withImports(root)) {
      files.set(file.proto.name, file);
    }
  }
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, DescExtension[]>();
  for (const file of files.values()) {
    for (const desc of nestedTypes(file)) {
      for (const name of symbolsOf(desc)) {
        symbols.set(name, file);
      }
      if (desc.kind === "extension") {
        const known = extensions.get(desc.extendee.typeName) ?? [];
        extensions.set(desc.extendee.typeName, [...known, desc]);
      } else if (desc.kind === "message" && !extensions.has(desc.typeName)) {
        extensions.set(desc.typeName, []);
      }
    }
  }
  return {
    services: services.map((service) => service.typeName).sort(),
    fileByName: (name) => files.get(name),
    fileBySymbol: (fullName) => symbols.get(fullName),
    extensionsOf: (message) => extensions.get(message),
  };
}

/** Returns the file as a serialized `google.protobuf.FileDescriptorProto`. */
export function toFileBytes(file: DescFile): Uint8Array<ArrayBuffer> {
  return toBinary(FileDescriptorProtoSchema, file.proto);
}

/** Yields the file, then all its direct and indirect imports, each once. */
export function* withImports(file: DescFile, seen = new Set<DescFile>()): Generator<DescFile> {
  if (seen.has(file)) {
    return;
  }
  seen.add(file);
  yield file;
  for (const dependency of file.dependencies) {
    yield* withImports(dependency, seen);
  }
}

function* symbolsOf(desc: DescMessage | DescEnum | DescExtension | DescService): Generator<string> {
  yield desc.typeName;
  switch (desc.kind) {
    case "message":
      yield* [...desc.fields, ...desc.oneofs].map(({ name }) => `${desc.typeName}.${name}`);
      break;
    case "enum":
      // Values of an enum are siblings of their enum, as in C++.
      yield* desc.values.map(({ name }) => desc.typeName.slice(0, -desc.name.length) + name);
      break;
    case "service":
      yield* desc.methods.map(({ name }) => `${desc.typeName}.${name}`);
      break;
    case "extension":
      break;
    default:
      desc satisfies never;
  }
}
