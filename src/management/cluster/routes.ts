// Owns the routes about a cluster of nodes. Never decides which node leads.

import type { Call } from '../call.ts';
import { badRequest, type HttpError, notFound } from '../http-error.ts';
import { get, put, type Route } from '../route.ts';
import type { ClusterView } from './cluster-view.ts';
import { clusterRow } from './rows.ts';

export const CLUSTER_ROUTES: readonly Route[] = [
  get('/cluster', 'monitoring', (call) => clusterRow(clusterOf(call))),
  put('/cluster/step-down', 'administrator', (call) => {
    clusterOf(call, badRequest).stepDown(call.principal.name, call.flag('force'));
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
