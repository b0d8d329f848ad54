// Owns what Prometheus scrapes. What makes the metrics is loaded by the first scrape.

import type { Context } from '../management/context.ts';
import { ToolServer } from '../management/listen.ts';
import type { MetricsSettings } from './exposition.ts';

/** What serves the metrics. */
export function prometheusServer(context: Context, settings: MetricsSettings): ToolServer {
  return new ToolServer(context, async () => {
    const { Exposition } = await import('./exposition.ts');
    const exposition = new Exposition(context, settings);
    return (request, response) => {
      const served = exposition.serve(request, response);
      context.guard.promise('scrape', served, () => response.destroy());
    };
  });
}
