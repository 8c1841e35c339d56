import type { ClientBase } from "pg";
import { ConflictError, NotFoundError } from "../../lib/errors.ts";
import type { ClusterAdmin } from "../cluster-admin.ts";
import { endSessions } from "../sql/end-sessions.ts";
import { findCluster, findDuplicate } from "../sql/find-cluster.ts";
import { deleteRows, forgetCluster, markRemoved } from "../sql/remove-cluster.ts";
import { rebindCluster, renameCluster } from "../sql/rename-cluster.ts";
import { type ClusterKey, type Database, lockCluster } from "./database.ts";

/** Creates the operator's changes of clusters in Postgres. */
export function createPgClusterAdmin(database: Database): ClusterAdmin {
  return {
    async remove(signal, account, name, forget) {
      const key = { account, cluster: name };
      signal.throwIfAborted();
      const resourceTypes = await database.transaction(key, async (client) => {
        if ((await findCluster(client, key)) === undefined) {
          throw notFound(key);
        }
        await endSessions(client, key);
        return await markRemoved(client, key);
      });
      const remove = async (table: Parameters<typeof deleteRows>[1]): Promise<number> => {
        for (let total = 0; ; ) {
          signal.throwIfAborted();
          const count = await database.transaction(key, (client) => deleteRows(client, table, key));
          total += count;
          if (count === 0) {
            return total;
          }
        }
      };
      const objects = await remove("kubernetes_object");
      await remove("reconciliation_finding");
      await remove("dry_run_finding");
      await remove("reconciliation_result");
      const runs = await remove("reconciliation_run");
      await remove("agent_session");
      await remove("agent_standby");
      await remove("staged_deletion");
      await remove("deletion_set_resource");
      await remove("deletion_set");
      if (forget) {
        await database.transaction(key, (client) => forgetCluster(client, key));
      }
      return { objects, resourceTypes, runs };
    },

    async rename(signal, account, name, newName) {
      const key = { account, cluster: name };
      const newKey = { account, cluster: newName };
      signal.throwIfAborted();
      return await database.transaction(key, async (client) => {
        await findPresent(client, key);
        await lockCluster(client, newKey);
        const taken = await findCluster(client, newKey);
        if (taken !== undefined) {
          throw new ConflictError(
            taken.isRemoved
              ? `cluster "${newName}": its name is that of a removed cluster; free it with ` +
                  `"evenkeel admin cluster remove ${newName} --forget"`
              : `cluster "${newName}": exists already; choose another name`,
          );
        }
        await endSessions(client, key);
        return await renameCluster(client, key, newName);
      });
    },

    async rebind(signal, account, name, uid) {
      const key = { account, cluster: name };
      signal.throwIfAborted();
      await database.transaction(key, async (client) => {
        const { uid: bound } = await findPresent(client, key);
        if (bound === uid) {
          throw new ConflictError(`cluster "${name}": already bound to uid ${uid}; nothing to change`);
        }
        const duplicate = await findDuplicate(client, { ...key, clusterUid: uid });
        if (duplicate !== undefined) {
          throw new ConflictError(
            `cluster "${name}": uid ${uid} is that of cluster "${duplicate}"; remove or rename that one first`,
          );
        }
        await endSessions(client, key);
        await rebindCluster(client, key, uid);
      });
    },
  };
}

async function findPresent(client: ClientBase, key: ClusterKey): Promise<{ readonly uid: string }> {
  const found = await findCluster(client, key);
  if (found === undefined) {
    throw notFound(key);
  }
  if (found.isRemoved) {
    throw new NotFoundError(
      `cluster "${key.cluster}": was removed; free its name with ` +
        `"evenkeel admin cluster remove ${key.cluster} --forget"`,
    );
  }
  return found;
}

function notFound({ account, cluster }: ClusterKey): NotFoundError {
  return new NotFoundError(
    `cluster "${cluster}": not found in account "${account}"; list the names with "evenkeel clusters"`,
  );
}
