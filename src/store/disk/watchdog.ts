// Owns the notice that a commit never settles. Never ends anything itself.

const TICKS = 10;

/**
 * Calls `expired` when what was started has not been stopped in time.
 *
 * The time is counted in ten ticks of one timer: a process that was suspended for an hour has seen
 * one tick when it wakes up, and not an hour of a commit that does not settle.
 */
export class Watchdog {
  private readonly expired: () => void;
  private readonly tick: NodeJS.Timeout;
  private ticks: number;
  private running: boolean;

  constructor(timeoutMs: number, expired: () => void) {
    this.expired = expired;
    this.ticks = 0;
    this.running = false;
    this.tick = setTimeout(this.onTick, timeoutMs / TICKS);
    this.tick.unref();
  }

  /** Costs one move of a timer in its list: it happens with every commit. */
  start(): void {
    this.ticks = 0;
    this.running = true;
    this.tick.refresh();
  }

  stop(): void {
    this.running = false;
  }

  private readonly onTick = (): void => {
    if (!this.running) return;
    this.ticks += 1;
    if (this.ticks < TICKS) {
      this.tick.refresh();
      return;
    }
    this.running = false;
    this.expired();
  };
}
