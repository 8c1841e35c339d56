import type { RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";

/**
 * The credentials of a kubeconfig. The library adds them to each request: it reads files again each minute, and keeps
 * what a plugin returned until its expiry, or forever if it states none (kubernetes-client/javascript#886).
 */
export class Credentials {
  readonly #config: KubeConfig;
  readonly #userName: string | undefined;
  #generation = 0;
  /** The last addition. Additions follow each other, so that a plugin runs once for all requests that wait for it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(config: KubeConfig) {
    this.#config = config;
    this.#userName = config.getCurrentUser()?.name;
  }

  /** Adds the credentials to the options of a request, and returns their generation. */
  async addTo(options: RequestOptions): Promise<number> {
    const added = this.#last.then(async () => {
      await this.#config.applyToHTTPSOptions(options);
      return this.#generation;
    });
    this.#last = added.catch(() => {});
    return await added;
  }

  /**
   * Replaces credentials of a plugin that the API server refused, unless another request has done so. Returns true if
   * the request can be sent again.
   */
  renew(refused: number): boolean {
    const user = this.#config.getCurrentUser();
    const context = this.#config.getContextObject(this.#config.currentContext);
    if (user === null || context === null || user.exec == null) {
      return false;
    }
    if (refused === this.#generation) {
      this.#generation++;
      // The library keeps credentials by the name of the user, and has no method to drop them.
      Object.assign(user, { name: `${this.#userName} (${this.#generation})` });
      Object.assign(context, { user: user.name });
    }
    return true;
  }
}
