// Owns the wiring: it makes a running broker of its parts, and takes it down in the right order.
// Never reads flags or variables, never ends the process: that is cli/.

import type { Logger } from 'pino';
import type { Settings } from './config/settings.ts';

/** A broker that takes connections. */
export interface RunningBroker {
  readonly host: string;
  /** The port it really listens on, also when the settings asked for a free one. */
  readonly port: number;
  /** Resolves, never rejects, when the broker can go on no longer: the store failed. */
  readonly failed: Promise<Error>;
  /** Takes no more connections, tells those there are 320 with this reason, finishes the commit. */
  close(reason: string): Promise<void>;
}

/** Opens the store and the listener. When it rejects, nothing is left open. */
export async function startBroker(_settings: Settings, _logger: Logger): Promise<RunningBroker> {
  throw new Error('not wired yet');
}
