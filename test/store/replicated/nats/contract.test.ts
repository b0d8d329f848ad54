import { afterEach, describe } from 'vitest';
import { LoggedStore } from '../../../../src/store/log/logged-store.ts';
import { openMemoryStore } from '../../../../src/store/memory/engine.ts';
import { Appender, tryToLead } from '../../../../src/store/replicated/appender.ts';
import { LOG_START } from '../../../../src/store/replicated/chain.ts';
import type { LogClient } from '../../../../src/store/replicated/log-client.ts';
import { ReplicatedLog } from '../../../../src/store/replicated/replicated-log.ts';
import { systemClock } from '../../../../src/util/clock.ts';
import { NATS_SERVER } from '../../../support/nats.ts';
import { storeContract } from '../../contract.ts';
import { logClientContract } from '../log-client-contract.ts';
import { withOneServer } from './one-server.ts';

const CLAIM = { format: 1, nonce: '00'.repeat(16), node: 'n1', version: '1.0.0' };
const noCopy = (): Promise<void> => Promise.reject(new Error('no copy is made'));
const pause = (): Promise<void> => Promise.resolve();

/** A store whose node leads over a log that is empty. */
async function leading(client: LogClient): Promise<LoggedStore> {
  const result = await tryToLead(client, LOG_START, CLAIM);
  if (result.is !== 'leads') throw new Error('the log is not empty');
  const { id } = await client.state();
  const appender = new Appender(client, result.place, pause);
  const sure = { whenSure: (then: () => void) => then() };
  const now = (): number => systemClock.monotonicMs();
  const log = new ReplicatedLog(appender, sure, id, client.recordBytesMax, now);
  return new LoggedStore(openMemoryStore(), log, 0, log, noCopy);
}

describe.skipIf(NATS_SERVER === null)('one server of NATS', () => {
  const server = withOneServer();
  const clients: LogClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
  });

  logClientContract('NATS', () => {
    const place = server.newPlace();
    return Promise.resolve(() => server.open(place));
  });

  storeContract('a log on NATS before tables of memory', async () => {
    const client = await server.open(server.newPlace());
    clients.push(client);
    return leading(client);
  });
});
