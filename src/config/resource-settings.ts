// Owns the rows of the settings table that say how much memory and disk may be used. Never measures
// either: server/backpressure/resource-monitor.ts does.

import { choice, decimal, integer, optionalBytes, optionalDecimal } from './setting.ts';

/** When publishers are blocked. */
export const RESOURCE_SETTINGS = {
  memoryWatermark: decimal({
    key: 'vm_memory_high_watermark.relative',
    about: 'Who publishes is blocked while more than this part of all memory is in use; 0: always.',
    initial: 0.4,
  }),
  memoryWatermarkBytes: optionalBytes({
    key: 'vm_memory_high_watermark.absolute',
    about: 'The same in bytes; counts in its place where it is set.',
    example: 'vm_memory_high_watermark.absolute = 2GB',
  }),
  memoryTotalBytes: optionalBytes({
    key: 'total_memory_available_override_value',
    about: 'Takes the place of all memory, which is that of the machine or of its control group.',
    example: 'total_memory_available_override_value = 4GB',
  }),
  memoryIntervalMs: integer({
    key: 'memory_monitor_interval',
    about: 'How often memory and disk are looked at, beside what is read making it necessary.',
    initial: 2500,
    min: 100,
    max: 3_600_000,
    unit: 'milliseconds',
  }),
  memoryPagingRatio: decimal({
    key: 'vm_memory_high_watermark_paging_ratio',
    about: 'Taken, and without effect: messages leave memory long before the watermark.',
    initial: 0.5,
  }),
  memoryStrategy: choice({
    key: 'vm_memory_calculation_strategy',
    about: 'Taken, and without effect: what counts is resident memory, mapped files aside.',
    initial: 'rss',
    words: { rss: 'rss', allocated: 'rss', erlang: 'rss', legacy: 'rss' } as const,
  }),
  diskFreeLimitBytes: integer({
    key: 'disk_free_limit.absolute',
    about: 'Who publishes is blocked while less than this is free on the disk of `data_dir`.',
    initial: 50_000_000,
    min: 0,
    max: 2 ** 50,
    unit: 'bytes',
    example: 'disk_free_limit.absolute = 2GB',
  }),
  diskFreeLimitRelative: optionalDecimal({
    key: 'disk_free_limit.relative',
    about: 'The same in terms of all memory; counts where the absolute limit is left alone.',
    example: 'disk_free_limit.relative = 1.5',
  }),
  flowBacklogMax: integer({
    key: 'flow.backlog',
    about:
      'Where more messages than this are ready in a queue that has consumers, whoever publishes to it ' +
      'is slowed down to what they settle.',
    initial: 100_000,
    min: 1,
    max: 2 ** 31 - 1,
    infinite: true,
  }),
  flowBacklogBytesMax: integer({
    key: 'flow.backlog_bytes',
    about: 'The same in bytes of bodies.',
    initial: 64 * 2 ** 20,
    min: 1,
    max: 2 ** 50,
    unit: 'bytes',
    infinite: true,
  }),
  flowFloor: integer({
    key: 'flow.floor',
    about:
      'So many messages a second such a queue takes in any case, and 64 MiB a second of large ones.',
    initial: 20_000,
    min: 1,
    max: 2 ** 31 - 1,
  }),
};
