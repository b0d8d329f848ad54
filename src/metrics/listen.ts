// Owns the port that Prometheus scrapes. What makes the metrics is loaded by the first scrape.

import type { Context } from '../management/context.ts';
import { listenForTool, type ToolListener } from '../management/listen.ts';

/** Listens for Prometheus. Rejects with the system's error. */
export function listenForPrometheus(
  context: Context,
  host: string,
  port: number,
  perObject: boolean,
): Promise<ToolListener> {
  return listenForTool('http/prometheus', host, port, async () => {
    const { Exposition } = await import('./exposition.ts');
    const exposition = new Exposition(context, perObject);
    return (request, response) => void exposition.serve(request, response);
  });
}
