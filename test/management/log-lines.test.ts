// What users of the HTTP API can cause in the log is bounded.

import { pino } from 'pino';
import { expect, test } from 'vitest';
import { defaultSettings } from '../../src/config/settings.ts';
import { startBroker } from '../../src/main.ts';
import { endpointOf, RawConnection } from '../support/amqp-raw.ts';
import { Api } from './support.ts';

test('of many connections that are closed through the API, 25 have a line of their own', async () => {
  const lines: { msg: string }[] = [];
  const write = (line: string): number => lines.push(JSON.parse(line) as { msg: string });
  const host = '127.0.0.1';
  const settings = {
    ...defaultSettings(),
    tcpListeners: new Map([['default', { host, port: 0 }]]),
    memory: true,
    managementPort: 0,
    prometheusPort: null,
  };
  const broker = await startBroker(settings, pino({ level: 'info' }, { write }));
  const portOf = (key: string) => broker.addresses.find((each) => each.key === key)?.port;
  const amqpUrl = `amqp://guest:guest@${host}:${portOf('listeners.tcp.default')}`;
  const api = new Api(`http://${host}:${portOf('management.tcp')}`, amqpUrl, broker);
  const raws: RawConnection[] = [];
  for (let i = 0; i < 30; i++) {
    const raw = await RawConnection.dial(endpointOf(amqpUrl));
    raws.push(raw);
    await raw.open();
  }
  expect((await api.call('DELETE', '/connections/username/guest')).status).toBe(204);
  for (const raw of raws) expect((await raw.next()).name).toBe('connection.close');
  const said = lines.filter(({ msg }) => msg === 'connection closed through the API');
  expect(said).toHaveLength(25);
  for (const raw of raws) raw.drop();
  await api.close();
});
