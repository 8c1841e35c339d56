import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Cluster,
  ClusterSchema,
  type KubernetesObject as FleetObject,
  KubernetesObjectSchema,
  type ReconciliationFinding,
  type ReconciliationRun,
  ReconciliationRunSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { FleetStore, Page, PageQuery } from "../../../src/store/fleet-store.ts";

/** A fleet of one account in memory, which tests fill. */
export class MemoryFleetStore implements FleetStore {
  clusters: Cluster[] = [];
  objects = new Map<string, FleetObject[]>();
  runs: ReconciliationRun[] = [];
  findings: ReconciliationFinding[] = [];
  readonly #account: string;

  constructor(account: string) {
    this.#account = account;
  }

  addCluster(name: string, ...objects: MessageInitShape<typeof KubernetesObjectSchema>[]): void {
    this.clusters.push(create(ClusterSchema, { name }));
    const added = objects.map((object) => create(KubernetesObjectSchema, object));
    this.objects.set(name, added);
  }

  /** Adds a run, or replaces an earlier state of it. */
  setRun(run: MessageInitShape<typeof ReconciliationRunSchema>): void {
    this.runs = [create(ReconciliationRunSchema, run), ...this.runs.filter(({ id }) => id !== run.id)];
  }

  async listClusters(_: AbortSignal, account: string, page: PageQuery) {
    return toPage(this.#own(account, this.clusters), page);
  }

  async getCluster(_: AbortSignal, account: string, name: string) {
    return this.#own(account, this.clusters).find((cluster) => cluster.name === name);
  }

  async listObjects(_: AbortSignal, account: string, query: Parameters<FleetStore["listObjects"]>[2]) {
    const { clusters = [...this.objects.keys()], resources, namespace } = query;
    const isSelected = ({ ref }: FleetObject): boolean =>
      (resources.length === 0 ||
        resources.some(
          ({ group = ref?.resourceType?.group, resource = ref?.resourceType?.resource }) =>
            ref?.resourceType?.group === group && ref?.resourceType?.resource === resource,
        )) &&
      (namespace === undefined || ref?.namespace === namespace);
    const objects = clusters
      .flatMap((cluster) => this.#own(account, this.objects.get(cluster) ?? []))
      .filter(isSelected);
    return toPage(objects, query);
  }

  async getObject(_: AbortSignal, account: string, cluster: string, ref: FleetObject["ref"] & {}) {
    const objects = this.#own(account, this.objects.get(cluster) ?? []);
    return objects.find((object) => object.ref?.name === ref.name && object.ref.namespace === ref.namespace);
  }

  async listRuns(_: AbortSignal, account: string, query: Parameters<FleetStore["listRuns"]>[2]) {
    return toPage(this.#runsOf(account, query.clusters), query);
  }

  async getRun(_: AbortSignal, account: string, id: string) {
    return this.#own(account, this.runs).find((run) => run.id === id);
  }

  async listOpenRuns(_: AbortSignal, account: string, query: Parameters<FleetStore["listOpenRuns"]>[2]) {
    const since = query.endedSince.getTime() / 1000;
    const isOpen = ({ endTime }: ReconciliationRun): boolean =>
      endTime === undefined || Number(endTime.seconds) >= since;
    return this.#runsOf(account, query.clusters).filter(isOpen).reverse();
  }

  async listFindings(_: AbortSignal, account: string, _runId: string, page: PageQuery) {
    return toPage(this.#own(account, this.findings), page);
  }

  #runsOf(account: string, clusters: readonly string[] | undefined): ReconciliationRun[] {
    return this.#own(account, this.runs).filter(
      (run) => clusters === undefined || clusters.includes(run.cluster),
    );
  }

  #own<T>(account: string, items: readonly T[]): readonly T[] {
    return account === this.#account ? items : [];
  }
}

function toPage<T>(items: readonly T[], { after, limit }: PageQuery): Page<T> {
  const start = Number(after?.[0] ?? 0);
  const end = start + limit;
  return { items: items.slice(start, end), next: end < items.length ? [String(end)] : undefined };
}
