// Owns the window on the data folder of a stopped broker: what verbs need, of the broker's own view. Never checks what
// the broker checks.

import { COMMANDS, type VerbCommands, type VerbLists, type VerbView, type View } from './verb.ts';

/** Makes the window. Its rows are those that the HTTP API of a running broker would show. */
export function folderView(view: View): VerbView {
  const commands = COMMANDS.map((name) => [name, (view[name] as Command).bind(view)] as const);
  return { ...(Object.fromEntries(commands) as unknown as VerbCommands), ...listsOf(view) };
}

type Command = (...args: unknown[]) => unknown;

function listsOf({ snapshots, defined }: View): VerbLists {
  /** The vhost, which has to be there. */
  const only = (vhost: string): string[] => {
    snapshots.requireVhost(vhost);
    return [vhost];
  };
  const within = (vhost?: string): { vhost?: string } =>
    vhost === undefined ? {} : { vhost: only(vhost)[0] as string };
  return {
    users: () => found(defined.users()) as unknown as Awaited<ReturnType<VerbLists['users']>>,
    vhosts: () => found(snapshots.vhosts(snapshots.vhostNames)),
    permissions: (vhost) => found(defined.permissions(within(vhost))),
    topicPermissions: (vhost) => found(defined.topicPermissions(within(vhost))),
    policies: (layer, vhost) => found(defined.policies(layer, only(vhost))),
    parameters: (vhost) => found(defined.parameters(only(vhost))),
    globalParameters: () => found(defined.globalParameters()),
    queues: (vhost) =>
      found(snapshots.queues(only(vhost))).map((row) => ({
        ...row,
        policy: row.policy ?? '',
        operator_policy: row.operator_policy ?? '',
      })),
    exchanges: (vhost) =>
      found(snapshots.exchanges(only(vhost))).map((row) => ({ ...row, policy: row.policy ?? '' })),
    bindings: (vhost) => found(snapshots.bindings(only(vhost))),
  };
}

/** All rows, at once: no other work waits for a broker that is stopped. */
function found<T>(rows: Iterable<T | null>): T[] {
  return [...rows].filter((row) => row !== null);
}
