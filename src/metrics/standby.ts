// Owns what Prometheus scrapes of a node of a cluster that does not lead: metrics of the cluster and of the process. What makes
// them is loaded by the first scrape.

import type { ClusterView } from '../management/cluster/cluster-view.ts';
import { type ToolContext, ToolServer } from '../management/listen.ts';
import { endpointOf } from './query.ts';

/** What serves them below `path`. */
export function standbyMetricsServer(
  context: ToolContext & { readonly cluster: ClusterView },
  path: string,
): ToolServer {
  return new ToolServer(context, async () => {
    const { writeCluster } = await import('./cluster.ts');
    const { processMetrics } = await import('./process.ts');
    const registry = processMetrics();
    return (request, response) => {
      if (endpointOf(request.url, path) === null) {
        response.writeHead(404, { 'content-type': 'text/plain' }).end(`see ${path || '/'}\n`);
        return;
      }
      const served = registry.metrics().then((ofProcess) => {
        response.writeHead(200, { 'content-type': registry.contentType });
        response.end([...writeCluster(context.cluster), ofProcess, '\n'].join(''));
      });
      context.guard.promise('scrape', served, () => response.destroy());
    };
  });
}
