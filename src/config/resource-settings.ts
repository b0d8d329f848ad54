// Owns the rows of the settings table that say how much memory and disk may be used. Never measures
// either: server/backpressure/resource-monitor.ts does.

import { choice, decimal, integer, optionalBytes, optionalDecimal } from './setting.ts';

/** When publishers are blocked. */
export const RESOURCE_SETTINGS = {
  memoryWatermark: decimal({
    key: 'vm_memory_high_watermark.relative',
    about:
      'Publishers are blocked while more than this part of all memory is in use; 0 blocks them always.',
    initial: 0.4,
  }),
  memoryWatermarkBytes: optionalBytes({
    key: 'vm_memory_high_watermark.absolute',
    about: 'The same in bytes. Where it is set, it replaces the relative limit.',
    example: 'vm_memory_high_watermark.absolute = 2GB',
  }),
  memoryTotalBytes: optionalBytes({
    key: 'total_memory_available_override_value',
    about:
      'What to take for all memory, instead of that of the machine or of its control group (container).',
    example: 'total_memory_available_override_value = 4GB',
  }),
  memoryIntervalMs: integer({
    key: 'memory_monitor_interval',
    about: 'How often memory and disk are checked. A fast flood is checked sooner.',
    initial: 2500,
    min: 100,
    max: 3_600_000,
    unit: 'milliseconds',
  }),
  memoryPagingRatio: decimal({
    key: 'vm_memory_high_watermark_paging_ratio',
    about: 'Accepted without effect: messages leave memory long before the watermark.',
    initial: 0.5,
  }),
  memoryStrategy: choice({
    key: 'vm_memory_calculation_strategy',
    about: 'Accepted without effect: resident memory without mapped files counts.',
    initial: 'rss',
    words: { rss: 'rss', allocated: 'rss', erlang: 'rss', legacy: 'rss' } as const,
  }),
  diskFreeLimitBytes: integer({
    key: 'disk_free_limit.absolute',
    about: 'Publishers are blocked while less than this is free on the disk of `data_dir`.',
    initial: 50_000_000,
    min: 0,
    max: 2 ** 50,
    unit: 'bytes',
    example: 'disk_free_limit.absolute = 2GB',
  }),
  diskFreeLimitRelative: optionalDecimal({
    key: 'disk_free_limit.relative',
    about: 'The same as a multiple of all memory. It counts where the absolute limit is not set.',
    example: 'disk_free_limit.relative = 1.5',
  }),
  flowBacklogMax: integer({
    key: 'flow.backlog',
    about:
      'When more messages than this are ready in a queue that has consumers, its publishers ' +
      'are slowed down to the rate at which the consumers settle.',
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
      'Such a queue always accepts this many messages a second, and 64 MiB a second of large ones.',
    initial: 20_000,
    min: 1,
    max: 2 ** 31 - 1,
  }),
};
