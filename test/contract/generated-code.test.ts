import { execFile } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPythonClient, findPython } from "../support/bus/python-client.ts";
import {
  GO_MODULE,
  hasProgram,
  provideGoGenerator,
  provideJavaTools,
} from "../support/generated-code/toolchains.ts";

const execute = promisify(execFile);

/** Time limit: compilers run beside other tests, and the first run downloads their toolchain. */
const TIMEOUT_MS = 600_000;

describe("a copy of proto/ without the rest of the repository", () => {
  let folder = "";
  let copy = "";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "evenkeel-generated-"));
    copy = join(folder, "somewhere");
    cpSync("proto", copy, { recursive: true });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs Buf in the copy with one plugin, without managed mode. */
  const generate = async (plugin: object): Promise<void> => {
    const template = JSON.stringify({ version: "v2", plugins: [plugin] });
    await execute(join(process.cwd(), "node_modules/.bin/buf"), ["generate", "--template", template], {
      cwd: copy,
    });
  };

  it("the copy of proto/ builds and passes its own lint", async () => {
    const buf = join(process.cwd(), "node_modules/.bin/buf");
    await execute(buf, ["build"], { cwd: copy });
    await execute(buf, ["lint"], { cwd: copy });
  });

  it.skipIf(!hasProgram("go", "version"))(
    "the generated Go code compiles",
    async () => {
      const module = join(folder, "go");
      cpSync(GO_MODULE, module, { recursive: true });
      const options = { local: await provideGoGenerator(), out: module, opt: "paths=source_relative" };
      await generate(options);
      // Go imports the validation rules from their own module, which the generated code names.
      rmSync(join(module, "buf"), { recursive: true });
      await execute("go", ["build", "./..."], { cwd: module });
      await execute("go", ["vet", "./evenkeel/..."], { cwd: module });
    },
    TIMEOUT_MS,
  );

  it.skipIf("missing" in findPython())(
    "the generated Python code can be imported",
    async () => {
      const classes = join(folder, "python");
      const python = await createPythonClient("python3", classes, copy);
      const { stdout } = await python.execute([
        "-c",
        "from evenkeel.v1 import event_pb2, fleet_service_pb2_grpc; print(event_pb2.Event.DESCRIPTOR.full_name)",
      ]);
      expect(stdout.trim()).toBe("evenkeel.v1.Event");
    },
    TIMEOUT_MS,
  );

  it.skipIf(!hasProgram("javac", "-version") || !hasProgram("mvn", "--version"))(
    "the generated Java code compiles",
    async () => {
      const { protoc, runtime } = await provideJavaTools();
      const sources = join(folder, "java");
      const classes = join(folder, "classes");
      mkdirSync(classes);
      await generate({ protoc_builtin: "java", protoc_path: protoc, out: sources });
      const files = globSync("**/*.java", { cwd: sources }).map((file) => join(sources, file));
      writeFileSync(join(folder, "files"), files.join("\n"));
      await execute("javac", ["-nowarn", "-cp", runtime, "-d", classes, `@${join(folder, "files")}`]);
      expect(globSync("dev/evenkeel/v1/*.class", { cwd: classes }).length).toBeGreaterThan(50);
    },
    TIMEOUT_MS,
  );
});
