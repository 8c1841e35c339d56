import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildOnce } from "./build-once.ts";
import { cacheDirectory } from "./cache-directory.ts";
import type { Missing } from "./missing.ts";

/** Location of an unpacked Apache Pulsar, before or after {@link provideBroker}. */
export interface BrokerDistribution {
  readonly directory: string;
}

const version = "4.0.8";
const oldestJava = 17;

/** Returns the distribution if a broker can run here: it needs Java, and the cache or Maven. Cheap. */
export function findBrokerDistribution(): BrokerDistribution | Missing {
  const directory = join(cacheDirectory(), `pulsar-${version}`);
  const java = findJavaVersion();
  if (java === undefined || java < oldestJava) {
    const seen = java === undefined ? "no java in JAVA_HOME or on the PATH" : `java ${java}`;
    return {
      missing: `no Pulsar broker: expected Java ${oldestJava} or newer, found ${seen}; install a JDK or JRE, or set JAVA_HOME`,
    };
  }
  if (existsSync(directory) || spawnSync("mvn", ["--version"]).status === 0) {
    return { directory };
  }
  return {
    missing: `no Pulsar broker: Pulsar ${version} is on Maven Central, but mvn is not on the PATH; install Maven`,
  };
}

/** Downloads Pulsar (244 MB) unless it is in the cache. Once per machine. */
export async function provideBroker({ directory }: BrokerDistribution): Promise<void> {
  await buildOnce(directory, async (unfinished) => {
    process.stderr.write(`downloading Pulsar ${version} for the tests, once: 244 MB\n`);
    const artifact = `org.apache.pulsar:pulsar-server-distribution:${version}:tar.gz:bin`;
    const goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
    await run("mvn", ["-B", "-q", "-C", goal, `-Dartifact=${artifact}`, `-DoutputDirectory=${unfinished}`]);
    const archive = join(unfinished, `pulsar-server-distribution-${version}-bin.tar.gz`);
    await run("tar", ["-xzf", archive, "-C", unfinished, "--strip-components=1"]);
    rmSync(archive);
  });
}

/** Returns the major version of the Java that Pulsar's scripts use. */
function findJavaVersion(): number | undefined {
  const { JAVA_HOME: home } = process.env;
  const java = home ? join(home, "bin", "java") : "java";
  const { stderr } = spawnSync(java, ["-version"], { encoding: "utf8" });
  // Java 8 has the version 1.8.
  const major = /version "(?:1\.)?(\d+)/.exec(stderr ?? "")?.[1];
  return major === undefined ? undefined : Number(major);
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  const [code] = await once(child, "exit");
  if (code !== 0) {
    throw new Error(`${command} ${args.join(" ")}: exited with ${code}; see its output above`);
  }
}
