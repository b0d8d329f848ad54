// Owns what `/metrics/memory-breakdown` shows: where the memory of the process is, as far as Node.js tells. Never
// measures more than that.

import type { Metric } from './families/family.ts';
import { writeHead } from './text.ts';

/** The lines of the breakdown, under those names of RabbitMQ 4 that say the nearest; parts that nothing here is like are left out. */
export function writeMemory(residentBytes: number): string {
  const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  const parts: readonly (readonly [name: string, help: string, bytes: number])[] = [
    ['binary_heap', 'Buffers: messages in memory, sockets, the history', arrayBuffers],
    [
      'other_ets_table',
      'What else is kept outside of the heap',
      Math.max(0, external - arrayBuffers),
    ],
    ['other_erlang_process', 'Objects of the broker', heapUsed],
    ['runtime_allocated_unused', 'Room in the heap', Math.max(0, heapTotal - heapUsed)],
    [
      'other_system',
      'Code, stacks and what the system has mapped, such as the store',
      Math.max(0, residentBytes - heapTotal - external),
    ],
  ];
  return parts
    .map(([name, help, bytes]) => {
      const metric: Metric = { name: `memory_${name}_bytes`, type: 'gauge', help };
      return `${writeHead('rabbitmq_', metric)}rabbitmq_${metric.name} ${bytes}\n`;
    })
    .join('');
}
