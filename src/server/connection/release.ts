// Owns giving back, once, what others could wait for: channels, exclusive queues and places in limits. Never decides
// when: closing.ts does.

import type { BrokerCore } from '../../broker/core/core.ts';
import type { Steps } from '../../broker/turn/slices.ts';
import { CLOSED } from '../states.ts';

/** What is given back. */
export interface ReleasedConnection {
  readonly core: BrokerCore;
  readonly state: number;
  /** Ends at once what must not go on while other things are given back, step by step. */
  releaseFirst(): void;
  /** Gives back the others. */
  releasing(): Steps;
}

/** What one connection holds, until it is given back. */
export class Release {
  private readonly connection: ReleasedConnection;
  private begun = false;
  private over = false;
  private whenOver = (): void => {};

  constructor(connection: ReleasedConnection) {
    this.connection = connection;
  }

  /** Begins, and calls `then` at the end unless the socket is gone by then; does nothing the second time. */
  begin(then: () => void): void {
    if (this.begun) return;
    this.begun = true;
    const { connection } = this;
    connection.releaseFirst();
    connection.core.slices.begin(connection.releasing(), () => {
      if (connection.state !== CLOSED) then();
      this.over = true;
      this.whenOver();
    });
  }

  /** Calls `then` once all is given back: at once, if it is. */
  await(then: () => void): void {
    if (this.over) then();
    else this.whenOver = then;
  }
}
