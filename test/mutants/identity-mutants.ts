import type { Mutant } from "./mutant.ts";

const VERIFY_TESTS = ["test/unit/rpc/auth/jwt/verify.test.ts"];
const RESTRICT = "src/backend/fleet/restrict-to-cluster.ts";
const RESTRICT_TESTS = ["test/unit/backend/fleet/restrict-to-cluster.pg.test.ts"];
const FLEET_TESTS = ["test/unit/backend/fleet/fleet-service.pg.test.ts"];

/** Protections of who is who, and of what is whose. */
export const identityMutants: readonly Mutant[] = [
  {
    race: "AUTH",
    file: "src/rpc/auth/jwt/verify.ts",
    find: "named.filter(({ algorithm }) => algorithm === alg)",
    replace: "named",
    tests: VERIFY_TESTS,
  },
  {
    race: "AUTH",
    file: "src/rpc/auth/jwt/verify.ts",
    find: "if (error instanceof errors.JWSSignatureVerificationFailed) {\n      return undefined;",
    replace:
      "if (error instanceof errors.JWSSignatureVerificationFailed) {\n      return decodeToken(token).claims;",
    tests: VERIFY_TESTS,
  },
  {
    race: "AUTH",
    file: "src/rpc/auth/jwt/claims.ts",
    find: "    audience,\n",
    replace: "",
    tests: VERIFY_TESTS,
  },
  {
    race: "AUTH",
    file: "src/rpc/auth/jwt/claims.ts",
    find: "    currentDate: now,\n",
    replace: "    currentDate: new Date(0),\n",
    tests: VERIFY_TESTS,
  },
  {
    race: "AUTH",
    file: "src/rpc/auth/jwt/keys.ts",
    find: 'if (label !== "PUBLIC KEY") {',
    replace: 'if (label === "") {',
    tests: ["test/unit/rpc/auth/jwt/keys.test.ts"],
  },
  {
    race: "AUTH",
    file: "src/rpc/auth/authenticator.ts",
    find: "context.service.typeName === Health.typeName",
    replace: 'context.service.typeName.startsWith("grpc.")',
    tests: ["test/unit/rpc/auth/authenticator.test.ts"],
  },
  {
    race: "AUTH",
    file: "src/rpc/server/identity-interceptor.ts",
    find: "if (!request.stream || (",
    replace: "if (request.stream || (",
    tests: ["test/unit/rpc/server/identity-interceptor.test.ts"],
  },
  {
    race: "AUTH",
    file: "src/rpc/server/identity-interceptor.ts",
    find: "if (isRevoked?.() === true) {",
    replace: "if (isRevoked === undefined) {",
    tests: ["test/unit/rpc/server/identity-interceptor.test.ts"],
  },
  {
    race: "AUTH",
    file: "src/rpc/auth/jwt-authenticator.ts",
    find: "return one.id === other.id && one.key.equals(other.key);",
    replace: "return one.id === other.id;",
    tests: ["test/unit/rpc/auth/jwt-authenticator.test.ts"],
  },
  {
    race: "AUTH",
    file: "src/rpc/client/sync-client.ts",
    find: "throw token?.isRenewable &&",
    replace: "throw token === undefined &&",
    tests: ["test/integration/agent/token-renewal.test.ts"],
  },
  {
    race: "AUTH",
    file: "src/config/fields/auth.ts",
    find: "if (!isLoopback(host)) {",
    replace: 'if (host === "") {',
    tests: ["test/unit/config/fields/auth.test.ts"],
  },
  {
    race: "AUTH",
    file: "src/backend/sync/sync-service.ts",
    find: "if (cluster !== undefined && cluster !== hello.cluster) {",
    replace: 'if (cluster === "") {',
    tests: ["test/unit/backend/sync/sync-service.test.ts"],
    only: "outside the caller",
  },
  {
    race: "AUTH",
    file: "src/backend/fleet/page-token.ts",
    find: "[schema.typeName, account, cluster]",
    replace: "[schema.typeName]",
    tests: FLEET_TESTS,
    only: "page token",
  },
  {
    race: "AUTH",
    file: "src/backend/fleet/fleet-service.ts",
    find: "      if (object === undefined) {\n        await getCluster(context, cluster);\n",
    replace: "      if (object === undefined) {\n",
    tests: FLEET_TESTS,
    only: "NOT_FOUND, by name",
  },
  {
    race: "AUTH",
    file: "src/backend/fleet/fleet-service.ts",
    find: "if (own !== undefined && own !== cluster) {",
    replace: 'if (own === "") {',
    tests: FLEET_TESTS,
    only: "restricted to one cluster",
  },
  {
    race: "AUTH",
    file: RESTRICT,
    find: "run?.cluster === own ? run : undefined",
    replace: "run",
    tests: RESTRICT_TESTS,
  },
  {
    race: "AUTH",
    file: RESTRICT,
    find: "return clusters === undefined || clusters.includes(own);",
    replace: "return clusters?.length !== 0;",
    tests: RESTRICT_TESTS,
  },
  {
    race: "AUTH",
    file: "src/store/sql/record-progress.ts",
    find: "WHERE account = $1 AND cluster = $2 AND id = $7::uuid AND ended_at IS NULL",
    replace: "WHERE ($1::text, $2::text) IS NOT NULL AND id = $7::uuid AND ended_at IS NULL",
    tests: ["test/integration/accounts.pg.test.ts"],
    only: "no message of an agent changes data",
  },
];
