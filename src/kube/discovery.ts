import type { KubeTransport } from "./kube.ts";
import { MalformedResponseError, reasonOf } from "./kube-error.ts";
import { isRecord } from "./kube-object.ts";
import { getJson } from "./read-response.ts";

/** A resource that the API server serves, in one version. */
export interface DiscoveredResource {
  readonly group: string;
  readonly version: string;
  /** Plural name; never a subresource. */
  readonly resource: string;
  /** Kind of the objects, such as "Deployment". */
  readonly kind: string;
  /** Singular name, such as "deployment". */
  readonly singular: string;
  /** Short names, such as "deploy". */
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  /** Categories, such as "all". */
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
}

/** A group version that the API server lists but cannot describe. */
export interface UnansweredGroup {
  readonly group: string;
  readonly version: string;
  readonly reason: string;
  readonly message: string;
}

/**
 * The resources that the API server serves. Complete only if `unanswered` is empty: the resources of a group
 * that answers 503 are unknown, for example those of an aggregated API that is down. So are those of a group that is
 * listed and answers 404: it is being removed, or is not served yet.
 */
export interface Discovery {
  /**
   * Ordered by group, and within a group by version: the preferred version first, then in the server's order.
   */
  readonly resources: readonly DiscoveredResource[];
  readonly unanswered: readonly UnansweredGroup[];
}

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/**
 * Reads the resources that the API server serves. Rejects if the list of groups cannot be read. A group
 * version that does not answer is reported in `unanswered`, never omitted.
 */
export async function discover(signal: AbortSignal, transport: KubeTransport): Promise<Discovery> {
  const resources: DiscoveredResource[] = [];
  const unanswered: UnansweredGroup[] = [];
  const groups = toGroupVersions(await getJson(signal, transport, { path: "/apis" }));
  for (const groupVersion of [{ group: "", version: "v1" }, ...groups]) {
    try {
      resources.push(...(await getResources(signal, transport, groupVersion)));
    } catch (error) {
      signal.throwIfAborted();
      unanswered.push({ ...groupVersion, reason: reasonOf(error), message: String(error) });
    }
  }
  return { resources, unanswered };
}

async function getResources(
  signal: AbortSignal,
  transport: KubeTransport,
  { group, version }: GroupVersion,
): Promise<DiscoveredResource[]> {
  const path = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const response = await getJson(signal, transport, { path });
  const entries = isRecord(response) ? response["resources"] : undefined;
  if (!Array.isArray(entries)) {
    throw new MalformedResponseError(`GET ${path}: expected a list with resources`);
  }
  return entries.flatMap((entry: unknown) => {
    const fields = (isRecord(entry) ? entry : {}) as Record<string, unknown>;
    const { name, kind, singularName, namespaced } = fields;
    if (typeof name !== "string" || name.includes("/")) {
      return [];
    }
    const pascalCase = typeof kind === "string" ? kind : "";
    return [
      {
        group,
        version,
        resource: name,
        kind: pascalCase,
        // Servers before 1.27 leave the singular name of built-in resources empty.
        singular:
          typeof singularName === "string" && singularName !== "" ? singularName : pascalCase.toLowerCase(),
        shortNames: toStrings(fields["shortNames"]),
        namespaced: namespaced === true,
        categories: toStrings(fields["categories"]),
        verbs: toStrings(fields["verbs"]),
      },
    ];
  });
}

function toStrings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function toGroupVersions(response: unknown): GroupVersion[] {
  const groups = isRecord(response) ? response["groups"] : undefined;
  if (!Array.isArray(groups)) {
    throw new MalformedResponseError("GET /apis: expected a list with groups");
  }
  return groups.flatMap((entry: unknown) => {
    const { name, versions, preferredVersion } = (isRecord(entry) ? entry : {}) as Record<string, unknown>;
    if (typeof name !== "string" || !Array.isArray(versions)) {
      throw new MalformedResponseError("GET /apis: expected groups with name and versions");
    }
    const preferred = versionOf(preferredVersion);
    const served = versions.map(versionOf).filter((version) => version !== undefined);
    const ordered = new Set(preferred === undefined ? served : [preferred, ...served]);
    return [...ordered].map((version) => ({ group: name, version }));
  });
}

function versionOf(entry: unknown): string | undefined {
  const version = isRecord(entry) ? entry["version"] : undefined;
  return typeof version === "string" ? version : undefined;
}
