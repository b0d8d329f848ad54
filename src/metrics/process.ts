// Owns the metrics that are true of the process, whatever it does. Never reads a broker.

import { collectDefaultMetrics, Registry } from 'prom-client';

let registry: Registry | null = null;

/** Those metrics. There is one registry in a process: each would watch the engine of the language for good. */
export function processMetrics(): Registry {
  if (registry === null) {
    registry = new Registry();
    collectDefaultMetrics({ register: registry });
  }
  return registry;
}
