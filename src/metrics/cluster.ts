// Owns the text of a node's metrics of its cluster, for the exposition of a leader and of a node that follows. Never answers a
// scrape.

import type { ClusterView } from '../management/cluster/cluster-view.ts';
import { CLUSTER_METRICS } from './families/cluster.ts';
import { writeHead, writeHistogram, writeLabels, writeNumber } from './text.ts';

/** All metrics of the cluster, one after the other. */
export function* writeCluster(cluster: ClusterView): Iterable<string> {
  for (const metric of CLUSTER_METRICS) {
    const samples = metric.read(cluster);
    if (samples.length === 0) continue;
    const lines = samples.map(
      ([labels, value]) => `${metric.name}${writeLabels(labels)} ${writeNumber(value)}\n`,
    );
    yield writeHead('', metric) + lines.join('');
  }
  const { appends } = cluster.counts();
  const help = 'How long batches took until they counted in the log';
  yield writeHistogram('leveret_log_append_seconds', help, appends, 1e-3);
}
