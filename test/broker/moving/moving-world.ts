// Owns a run of the simulation whose vhost moves from one broker's store to another's. Never compares anything itself.

import { takeVhost } from '../../../src/broker/moving/take-vhost.ts';
import { TABLE_PAGES } from '../../../src/store/tables.ts';
import { ControlledStore } from '../controlled-store.ts';
import { World } from '../world.ts';
import { other } from './full-vhost.ts';

const TURNS_MAX = 100_000;

/** A broker beside its model, which comes to another broker now and then. */
export class MovingWorld extends World {
  /** How often the vhost moved, and how often with messages that wait. */
  readonly moves = { moves: 0, waiting: 0 };

  /**
   * Power fails, and what is on the disk goes to another broker, which has another vhost. So few bytes of rows are in one
   * batch.
   */
  async move(gatheredBytesMax: number): Promise<void> {
    if (this.queues.some(({ delayedCount }) => delayedCount > 0)) this.moves.waiting += 1;
    this.moves.moves += 1;
    this.powerFails();
    const from = new ControlledStore(this.disk);
    const there = other(this.nowMs, 0, 'own');
    this.disk = there.disk;
    this.foreignPages = there.disk.keys(TABLE_PAGES).length;
    this.start();
    let over = false;
    let loaded = false;
    const end = (): void => {
      over = true;
    };
    const { schedules } = this.vhost;
    const recover = schedules.recover.bind(schedules);
    // They are the last of all.
    schedules.recover = () => {
      recover();
      loaded = true;
    };
    const arrival = takeVhost(this.broker, this.vhost, from, { gatheredBytesMax });
    arrival.then(end, end);
    // Nothing is dropped before the model follows what is.
    const { core } = this.broker;
    Object.assign(core['touched'], { deliver: () => false });
    await this.until(
      () => over || loaded,
      () => {
        if (core.sealable && this.vhost.queues.size === 0) core.seal();
        this.sync();
        this.apply();
        core.deliver();
      },
    );
    Reflect.deleteProperty(core['touched'], 'deliver');
    this.opened();
    await this.until(
      () => over,
      () => {
        this.turn(true);
        this.sync();
        this.apply();
      },
    );
    await arrival;
  }

  private async until(reached: () => boolean, turn: () => void): Promise<void> {
    for (let turns = 0; turns < TURNS_MAX; turns++) {
      for (let n = 0; n < 20; n++) await Promise.resolve();
      if (reached()) return;
      turn();
    }
    throw new Error('the vhost does not arrive');
  }
}
