// Owns the pause in which no new connections are taken, as an operator wants it. Never ends one that is there.

import { Refusal } from '../../broker/errors.ts';
import type { Intake } from '../../broker/view/server-port.ts';
import type { ListenAddress } from './listener.ts';

/** What it needs of a listener. */
export interface PausedListener {
  readonly address: Pick<ListenAddress, 'host' | 'port'>;
  open(): Promise<void>;
  suspend(): void;
}

/** The listeners of a server, paused and resumed together. */
export class ListenerIntake implements Intake {
  suspended = false;
  private readonly listeners: () => readonly PausedListener[];

  constructor(listeners: () => readonly PausedListener[]) {
    this.listeners = listeners;
  }

  suspend(): void {
    this.suspended = true;
    for (const listener of this.listeners()) listener.suspend();
  }

  async resume(): Promise<void> {
    this.suspended = false;
    const all = this.listeners();
    const results = await Promise.allSettled(all.map((each) => each.open()));
    const at = results.findIndex(({ status }) => status === 'rejected');
    if (at === -1) return;
    const { host, port } = (all[at] as PausedListener).address;
    const { message } = (results[at] as PromiseRejectedResult).reason as Error;
    const text = `the listener at ${host}, port ${port}, cannot be opened again: ${message}`;
    throw new Refusal('in-use', `${text}; free the port and resume once more`);
  }
}
