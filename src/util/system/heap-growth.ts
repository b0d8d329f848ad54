// Owns how much garbage may gather before the engine collects it. Never collects by itself.

import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/**
 * From V8 13 on (Node 24), memory outside the heap is by default held against a limit of its own,
 * which marks the heap after each 64 MiB, however little is in use.
 */
const COUNT_ALL_MEMORY_ALIKE = '--external-memory-accounted-in-global-limit';
const V8_WITH_A_LIMIT_OF_ITS_OWN = 13;
/** Garbage that may gather beside what is in use. */
const HEADROOM_BYTES = 192 * 1024 * 1024;
/** More growth than this between two collections gains nothing more. */
const GROWTH_PERCENT_MAX = 1500;
/**
 * Every chunk read from a socket is memory outside the engine's own heap, which counts towards the
 * point at which the whole heap is marked. The heap of a broker is small and that point is set as a
 * multiple of it, so that a busy broker would mark its heap dozens of times a second, on threads
 * that take the processor from its clients. While little is in use, the multiple is therefore
 * raised; the more is in use, the less, so that the headroom stays about the same.
 *
 * Measured on two cores: 64 KiB messages 13.4 to 18 k/s on Node 20 and 15.2 to 19.5 k/s on Node 24,
 * 1 KiB durable ones 274 to over 340 k/s. With 128 MiB and 400 % the former gain half as much.
 */
export class HeapGrowth {
  private percent = 0;
  private readonly observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { detail } = entry as { detail?: { kind?: number } };
      if (detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR) this.adjust();
    }
  });

  /** Sets the growth now and after every collection of the whole heap. */
  start(): void {
    const v8 = Number.parseInt(process.versions.v8, 10);
    if (v8 >= V8_WITH_A_LIMIT_OF_ITS_OWN) setFlagsFromString(COUNT_ALL_MEMORY_ALIKE);
    this.adjust();
    this.observer.observe({ entryTypes: ['gc'] });
  }

  stop(): void {
    this.observer.disconnect();
  }

  /** Just after a collection, what is left is in use. */
  private adjust(): void {
    const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
    const percent = growthPercent(heap + external);
    if (percent === this.percent) return;
    this.percent = percent;
    setFlagsFromString(`--heap-growing-percent=${percent}`);
  }
}

/** By how much the heap may grow between two collections; 0 leaves it to the engine. */
export function growthPercent(bytesInUse: number): number {
  const percent = Math.floor((HEADROOM_BYTES * 100) / bytesInUse / 50) * 50;
  return Math.min(GROWTH_PERCENT_MAX, percent);
}
