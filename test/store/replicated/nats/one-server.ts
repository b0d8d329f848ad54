// Owns one server of NATS for the tests of a file, on which each test has a log of its own. Never starts one where no test
// runs.

import { afterAll, beforeAll } from 'vitest';
import type { NatsLog } from '../../../../src/store/replicated/nats/client.ts';
import { openNatsLog } from '../../../../src/store/replicated/nats/open.ts';
import type { NatsPlace } from '../../../../src/store/replicated/nats/place.ts';
import { NatsServers } from '../../../support/nats.ts';

/** What tests have of it. */
export interface OneServer {
  /** A place that no test has had before. */
  newPlace(more?: Partial<NatsPlace>): NatsPlace;
  /** Opens a log, which is closed after the tests. */
  open(place: NatsPlace): Promise<NatsLog>;
}

/** Has one server run during the tests of the group that this is called in. */
export function withOneServer(): OneServer {
  let servers: NatsServers | null = null;
  let places = 0;
  const opened: NatsLog[] = [];
  beforeAll(async () => {
    servers = await NatsServers.start();
  });
  afterAll(async () => {
    for (const log of opened.splice(0)) await log.close();
    await servers?.stop();
  });
  return {
    newPlace: (more) => {
      places += 1;
      // So many logs have room on the server together.
      const small = { cluster: `test${places}`, logBytesMax: 16 * 2 ** 20 };
      return (servers as NatsServers).place({ ...small, ...more });
    },
    open: async (place) => {
      const log = await openNatsLog(place);
      opened.push(log);
      return log;
    },
  };
}
