import type { Mutant } from "./mutant.ts";

const SECRETS = ["test/unit/secrets.test.ts"];
const TOKEN = ["test/unit/cli/commands/token.test.ts"];
const CONFIG = ["test/unit/config/resolve.test.ts"];
const TLS = ["test/integration/store/postgres-tls.pg.test.ts"];
const URLS = ["test/unit/lib/postgres-url.test.ts"];
const OPTIONS = ["test/unit/store/postgres/connection-options.test.ts"];
const [LOAD, YAML, URL] = ["src/config/load.ts", "src/lib/read-yaml.ts", "src/lib/postgres-url.ts"];
const CONNECTION = "src/store/postgres/connection-options.ts";

/** Protections of secrets in files and in output, and of connections to Postgres. */
export const secretMutants: readonly Mutant[] = [
  // Files.
  {
    file: "src/cli/commands/token.ts",
    find: `writeNewFile(out, \`\${token}\\n\`, 0o600);`,
    replace: `writeNewFile(out, \`\${token}\\n\`, 0o644);`,
    tests: TOKEN,
  },
  {
    file: "src/lib/private-file.ts",
    find: "if (isExposedFile({ uid, mode })) {",
    replace: "if (uid < 0 && isExposedFile({ uid, mode })) {",
    tests: TOKEN,
  },
  {
    file: "src/lib/private-file.ts",
    find: "(uid === 0 ? GROUP_CHANGES : GROUP)",
    replace: "(uid === 0 ? GROUP_CHANGES : GROUP_CHANGES)",
    tests: ["test/unit/lib/private-file.test.ts"],
  },
  {
    file: "deploy/local/compose.yaml",
    find: "    dockerfile: deploy/Dockerfile\n",
    replace: "    dockerfile: deploy/Dockerfile\n  volumes: [keys:/keys]\n",
    tests: ["test/unit/lint/compose.test.ts"],
  },
  {
    file: CONNECTION,
    find: 'read("sslkey", key, readPrivateFile)',
    replace: 'read("sslkey", key, readCertificates)',
    tests: TLS,
    only: "refused at once",
  },
  // Output.
  {
    file: LOAD,
    find: "isOfFile ? describeType(value) : describeValue(value)",
    replace: "describeValue(value)",
    tests: SECRETS,
  },
  { file: LOAD, find: "unknown key; expected", replace: `unknown key \${key}; expected`, tests: SECRETS },
  { file: LOAD, find: "hideCredentials(each)", replace: "each", tests: SECRETS },
  {
    file: YAML,
    find: `EXPECTATIONS[problem.code] ?? \`valid YAML (\${problem.code})\``,
    replace: "problem.message",
    tests: SECRETS,
  },
  {
    file: YAML,
    find: "[...document.errors, ...document.warnings]",
    replace: "document.errors",
    tests: CONFIG,
  },
  { file: YAML, find: "if (source === undefined ||", replace: "if (source !== undefined &&", tests: SECRETS },
  {
    file: "src/config/value-types.ts",
    find: 'if (url.username !== "" || url.password !== "") {',
    replace: 'if (url.username === "never") {',
    tests: SECRETS,
  },
  { file: "src/cli/cli.ts", find: "() => hideCredentials(arg)", replace: "() => arg", tests: SECRETS },
  {
    file: "src/kube/http-transport.ts",
    find: "throw cause instanceof SyntaxError",
    replace: "throw cause === undefined",
    tests: SECRETS,
  },
  {
    file: "src/kube/http-transport.ts",
    find: 'throw new ConfigError("HTTPS_PROXY, HTTP_PROXY: expected a URL such as http://user:password@proxy:3128");',
    replace: 'return { "http:": new http.Agent(options), "https:": new https.Agent(options) };',
    tests: SECRETS,
  },
  {
    file: "src/kube/merge-kubeconfigs.ts",
    find: "if (proxy &&",
    replace: "if (proxy === null &&",
    tests: SECRETS,
  },
  {
    file: "src/kube/merge-kubeconfigs.ts",
    find: `found \${hideCredentials(server)}`,
    replace: `found \${server}`,
    tests: SECRETS,
  },
  { file: URL, find: ", password: _, ...rest }", replace: ", ...rest }", tests: SECRETS },
  {
    file: URL,
    find: `\`\${where}: unknown; \${list}; \${HINT}\``,
    replace: `\`\${name}: unknown; \${list}; \${HINT}\``,
    tests: SECRETS,
  },
  {
    file: "src/config/fields/database.ts",
    find: "if (problem !== undefined) {",
    replace: 'if (problem === "") {',
    tests: CONFIG,
  },
  // Connections to Postgres.
  {
    file: URL,
    find: "      // Refused below, without the text.\n",
    replace: "      return encoded;\n",
    tests: URLS,
  },
  { file: URL, find: '  assertWithoutAt("database", path);\n', replace: "", tests: URLS },
  {
    file: CONNECTION,
    find: 'root === undefined ? "disable" : "verify-full")',
    replace: 'root === undefined ? "disable" : "prefer")',
    tests: OPTIONS,
  },
  {
    file: CONNECTION,
    find: 'mode !== "verify-full" && { checkServerIdentity',
    replace: "mode && { checkServerIdentity",
    tests: TLS,
  },
  {
    file: CONNECTION,
    find: 'mode.startsWith("verify") || root !== undefined',
    replace: 'mode.startsWith("verify")',
    tests: OPTIONS,
  },
  {
    file: CONNECTION,
    find: "password ?? requirePassword(passfile, login)",
    replace: 'password ?? ""',
    tests: OPTIONS,
  },
  {
    file: CONNECTION,
    find: "if (!text.includes(",
    replace: "if (text === undefined && !text.includes(",
    tests: TLS,
    only: "refused at once",
  },
  {
    file: "src/store/postgres/postgres-client.ts",
    find: "if (options.isTlsOptional) {",
    replace: "if (!options) {",
    tests: TLS,
  },
].map((mutant) => ({ race: "L29", only: "L29", ...mutant }));
