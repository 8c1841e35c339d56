import { createSeededRandom, type Random } from "../../src/lib/random.ts";
import type { SimulatedCluster } from "../../src/simulation/simulated-cluster.ts";
import type { SimulatedObject } from "../../src/simulation/simulated-object.ts";
import { index, pick } from "./chance.ts";
import type { Write } from "./plan.ts";
import { WRITE_ANNOTATION } from "./truth.ts";

const NAMESPACES = ["a", "b"];
const NAMES = Array.from({ length: 12 }, (_, at) => `object-${String(at).padStart(2, "0")}`);
const WIDGETS = "widgets.example.com";

/** Writes of one cluster. Every write gets a mark, so that each state of an object is unique in all clusters. */
export class ClusterWorkload {
  readonly #cluster: SimulatedCluster;
  readonly #mark: string;
  #writes = 0;

  constructor(cluster: SimulatedCluster, mark: string) {
    this.#cluster = cluster;
    this.#mark = mark;
    for (const name of ["kube-system", ...NAMESPACES]) {
      this.#create(toNamespace(name));
    }
    for (const name of NAMES.slice(0, 4)) {
      this.#create(toConfigMap("a", name));
    }
  }

  /** Does one write, unless the cluster lacks an object for it. */
  write(write: Exclude<Write, "edit row" | "delete row">, seed: number): void {
    const random = createSeededRandom(seed);
    switch (write) {
      case "create":
        this.#createSome(random);
        break;
      case "update":
        this.#change(random, ({ resource, namespace, name }) =>
          this.#cluster.update(resource, namespace, name, (object) => this.#numbered(object)),
        );
        break;
      case "delete":
        this.#change(random, ({ resource, namespace, name }) =>
          this.#cluster.delete(resource, namespace, name),
        );
        break;
      case "recreate":
        this.#change(random, ({ resource, namespace, name }) => {
          const { metadata, ...rest } = this.#cluster.delete(resource, namespace, name);
          const { uid: _uid, resourceVersion: _version, ...kept } = metadata;
          this.#create({ ...rest, metadata: kept } as SimulatedObject);
        });
        break;
      case "delete many":
        for (const target of this.#targets().filter(() => random.float() < 0.8)) {
          this.#cluster.delete(target.resource, target.namespace, target.name);
        }
        break;
      case "delete namespace":
        this.#deleteNamespace(pick(random, NAMESPACES));
        break;
      case "create odd": {
        const odd = pick(random, ODD_OBJECTS);
        this.#createIn(odd({ ...toConfigMap(pick(random, NAMESPACES), "odd") }));
        break;
      }
      case "install CRD":
        if (!this.#has("customresourcedefinitions.apiextensions.k8s.io", "", WIDGETS)) {
          this.#create(toWidgetDefinition(pick(random, ["v1", "v2"])));
          this.#createSome(random);
        }
        break;
      case "remove CRD":
        if (this.#has("customresourcedefinitions.apiextensions.k8s.io", "", WIDGETS)) {
          this.#cluster.delete("customresourcedefinitions.apiextensions.k8s.io", "", WIDGETS);
        }
        break;
      default:
        write satisfies never;
    }
  }

  #createSome(random: Random): void {
    const namespace = pick(random, NAMESPACES);
    const name = pick(random, NAMES);
    const version = this.#widgetVersion();
    const object =
      version !== undefined && random.float() < 0.5
        ? toWidget(version, namespace, name)
        : toConfigMap(namespace, name);
    this.#createIn(object);
  }

  #createIn(object: SimulatedObject): void {
    const { namespace = "", name } = object.metadata;
    if (!this.#has("namespaces", "", namespace)) {
      this.#create(toNamespace(namespace));
    }
    if (!this.#has(object.kind === "Widget" ? WIDGETS : "configmaps", namespace, name)) {
      this.#create(object);
    }
  }

  #change(random: Random, change: (target: Target) => void): void {
    const targets = this.#targets();
    const target = targets[index(random, targets.length)];
    if (target !== undefined) {
      change(target);
    }
  }

  #deleteNamespace(namespace: string): void {
    for (const target of this.#targets().filter((each) => each.namespace === namespace)) {
      this.#cluster.delete(target.resource, target.namespace, target.name);
    }
    if (this.#has("namespaces", "", namespace)) {
      this.#cluster.delete("namespaces", "", namespace);
    }
  }

  #targets(): Target[] {
    const resources = this.#widgetVersion() === undefined ? ["configmaps"] : ["configmaps", WIDGETS];
    return resources.flatMap((resource) =>
      this.#cluster
        .list(resource)
        .map(({ metadata: { namespace = "", name } }) => ({ resource, namespace, name })),
    );
  }

  #widgetVersion(): string | undefined {
    return this.#cluster.resources().find(({ resource }) => resource === "widgets")?.version;
  }

  #has(resource: string, namespace: string, name: string): boolean {
    return this.#cluster.get(resource, namespace, name) !== undefined;
  }

  #create(object: SimulatedObject): void {
    this.#cluster.create(this.#numbered(object));
  }

  #numbered(object: SimulatedObject): SimulatedObject {
    this.#writes += 1;
    const write = `${this.#mark}#${this.#writes}`;
    const annotations = { ...object.metadata.annotations, [WRITE_ANNOTATION]: write };
    const spec = object.kind === "Widget" ? { spec: { size: 1, write } } : {};
    return { ...object, ...spec, metadata: { ...object.metadata, annotations } };
  }
}

/** Objects that an API server serves, and that the contract, the index or Postgres cannot carry as they are. */
const ODD_OBJECTS: readonly ((object: SimulatedObject) => SimulatedObject)[] = [
  (object) => named(object, "odd-nul", { data: { value: "a\0b" } }),
  (object) => named(object, "odd-half", { data: { value: "a\ud800b" } }),
  (object) => named(object, "odd\0name"),
  (object) => named(object, `odd-${"x".repeat(1_100)}`),
  (object) => named(object, `odd-${"x".repeat(300)}`),
  (object) => identified(named(object, "odd-uid"), "u".repeat(300)),
  (object) => identified(named(object, "odd-no-uid"), ""),
];

function named(object: SimulatedObject, name: string, fields: object = {}): SimulatedObject {
  return { ...object, ...fields, metadata: { ...object.metadata, name } };
}

function identified(object: SimulatedObject, uid: string): SimulatedObject {
  return { ...object, metadata: { ...object.metadata, uid } };
}

interface Target {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

function toNamespace(name: string): SimulatedObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}

function toConfigMap(namespace: string, name: string): SimulatedObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data: { value: name } };
}

function toWidget(version: string, namespace: string, name: string): SimulatedObject {
  return {
    apiVersion: `example.com/${version}`,
    kind: "Widget",
    metadata: { namespace, name },
  };
}

function toWidgetDefinition(version: string): SimulatedObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: WIDGETS },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget" },
      versions: [{ name: version, served: true, storage: true }],
    },
  };
}
