// Owns the routes about a cluster of nodes. Never decides which node leads.

import { type Call, textOf } from '../call.ts';
import { badRequest, type HttpError, notFound } from '../http-error.ts';
import { get, ofDirectory, put, type Route } from '../route.ts';
import type { ClusterView } from './cluster-view.ts';
import { clusterRow, placeRow } from './rows.ts';

/** As in the configuration. */
const GROUP_NAME = /^[A-Za-z0-9-]{1,32}$/;

export const CLUSTER_ROUTES: readonly Route[] = [
  get('/cluster', 'monitoring', (call) => clusterRow(clusterOf(call))),
  put('/cluster/step-down', 'administrator', (call) => {
    clusterOf(call, badRequest).stepDown(call.principal.name, call.flag('force'));
    return undefined;
  }),
  // The group that decides about it says so: another one may not know yet.
  {
    ...get('/cluster/vhosts/:vhost', 'administrator', async (call) => {
      clusterOf(call);
      return placeRow((await call.walked(call.view.snapshots.vhost(call.vhost()))).place);
    }),
    directory: true,
  },
  ...ofDirectory(
    put('/cluster/vhosts/:vhost', 'administrator', async (call) => {
      const { group } = call.object('group');
      const to = textOf('group', group);
      if (!GROUP_NAME.test(to)) throw badRequest(`'${to}' cannot be the name of a group`);
      await clusterOf(call, badRequest).place(call.vhost(), to);
      return undefined;
    }),
  ),
  put('/cluster/follow-main', 'administrator', (call) => {
    clusterOf(call, badRequest).followMain();
    return undefined;
  }),
  put('/cluster/snapshot', 'administrator', async (call) => ({
    snapshot_seq: await clusterOf(call, badRequest).snapshot(),
  })),
];

function clusterOf(
  { context }: Call,
  refusal: (reason: string) => HttpError = notFound,
): ClusterView {
  const { cluster } = context;
  if (cluster === null) throw refusal('this broker is in no cluster');
  return cluster;
}
