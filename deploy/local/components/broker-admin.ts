/** Client of a broker's admin API, `/admin/v2`. */
export interface BrokerAdmin {
  /** Resolves to true if the broker stores and delivers messages. Rejects while it does not listen. */
  isHealthy(): Promise<boolean>;
  /** Creates the tenant and its namespaces unless they exist. */
  createNamespaces(tenant: string, namespaces: readonly string[]): Promise<void>;
  /**
   * Sends a request, such as `PUT` of `namespaces/evenkeel/main`. Returns the body.
   *
   * @throws Error unless it succeeds
   */
  send(method: "GET" | "PUT" | "POST" | "DELETE", path: string, body?: unknown): Promise<unknown>;
}

/** Creates a client of the broker at `adminUrl`, with the token of a superuser if the broker requires one. */
export function createBrokerAdmin(adminUrl: string, token?: string): BrokerAdmin {
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  const request = async (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${adminUrl}/admin/v2/${path}`, {
      method,
      headers: { ...authorization, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const create = async (path: string, body?: unknown): Promise<void> => {
    const response = await request("PUT", path, body);
    const text = await response.text();
    const isThereAlready = response.status === 409;
    if (!response.ok && !isThereAlready) {
      throw new Error(`PUT ${path}: ${response.status} ${text}`);
    }
  };
  return {
    async isHealthy() {
      const response = await request("GET", "brokers/health");
      return (await response.text()) === "ok" && response.ok;
    },
    async createNamespaces(tenant, namespaces) {
      await create(`tenants/${tenant}`, { allowedClusters: ["standalone"] });
      for (const namespace of namespaces) {
        await create(`namespaces/${tenant}/${namespace}`);
      }
    },
    async send(method, path, body) {
      const response = await request(method, path, body);
      const text = await response.text();
      if (!response.ok) {
        throw new Error(`${method} ${path}: ${response.status} ${text}`);
      }
      return text === "" ? undefined : JSON.parse(text);
    },
  };
}
