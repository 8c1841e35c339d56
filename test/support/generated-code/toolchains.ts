import { execFile, spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { buildOnce } from "../../../deploy/local/components/build-once.ts";
import { cacheDirectory } from "../../../deploy/local/components/cache-directory.ts";

const execute = promisify(execFile);

const PROTOBUF_JAVA = "4.33.0";

/** Folder of the Go module that pins the generator and the packages of the generated code. */
export const GO_MODULE = fileURLToPath(new URL("go/", import.meta.url));

/** True if a program is on the PATH. */
export function hasProgram(name: string, versionFlag: string): boolean {
  return spawnSync(name, [versionFlag]).status === 0;
}

/** Builds protoc-gen-go once per machine, in the version that the Go module pins; returns its path. */
export async function provideGoGenerator(): Promise<string> {
  const directory = join(cacheDirectory(), "protoc-gen-go-1.36.12");
  await buildOnce(directory, async (unfinished) => {
    const target = "google.golang.org/protobuf/cmd/protoc-gen-go";
    await execute("go", ["build", "-o", join(unfinished, "protoc-gen-go"), target], { cwd: GO_MODULE });
  });
  return join(directory, "protoc-gen-go");
}

/** The compiler and the runtime of Protobuf for Java. */
export interface JavaTools {
  readonly protoc: string;
  readonly runtime: string;
}

/** Downloads Protobuf's compiler and its Java runtime once per machine. */
export async function provideJavaTools(): Promise<JavaTools> {
  const directory = join(cacheDirectory(), `protobuf-java-${PROTOBUF_JAVA}`);
  const platform = `${process.platform === "darwin" ? "osx" : "linux"}-${process.arch === "arm64" ? "aarch_64" : "x86_64"}`;
  const protoc = `protoc-${PROTOBUF_JAVA}-${platform}.exe`;
  await buildOnce(directory, async (unfinished) => {
    const group = "com.google.protobuf";
    for (const artifact of [
      `${group}:protobuf-java:${PROTOBUF_JAVA}:jar`,
      `${group}:protoc:${PROTOBUF_JAVA}:exe:${platform}`,
    ]) {
      const goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
      await execute("mvn", ["-B", "-q", goal, `-Dartifact=${artifact}`, `-DoutputDirectory=${unfinished}`]);
    }
    chmodSync(join(unfinished, protoc), 0o755);
  });
  return { protoc: join(directory, protoc), runtime: join(directory, `protobuf-java-${PROTOBUF_JAVA}.jar`) };
}
