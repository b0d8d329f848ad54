// What users of the HTTP API can cause in the log is bounded.

import { pino } from 'pino';
import { expect, test } from 'vitest';
import { startBroker } from '../../src/boot/start.ts';
import { defaultSettings } from '../../src/config/settings.ts';
import { endpointOf, RawConnection } from '../support/amqp-raw.ts';
import { Api } from './support.ts';

interface Line {
  readonly msg: string;
}

/** A broker with the HTTP API, and the lines that it writes. */
async function start(): Promise<{ api: Api; amqpUrl: string; lines: Line[] }> {
  const lines: Line[] = [];
  const write = (line: string): number => lines.push(JSON.parse(line) as Line);
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
  return { api, amqpUrl, lines };
}

test('of many connections that are closed through the API, 25 have a line of their own', async () => {
  const { api, amqpUrl, lines } = await start();
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

test('of many imports over HTTP, and of what they warn of, 25 have a line of their own', async () => {
  const { api, lines } = await start();
  const gone = { source: 'gone', vhost: '/', destination: 'gone', destination_type: 'queue' };
  const bindings = [{ ...gone, routing_key: 'k', arguments: {} }];
  const answers = Array.from({ length: 30 }, () => api.call('POST', '/definitions', { bindings }));
  for (const { status } of await Promise.all(answers)) expect(status).toBe(204);
  const said = lines.filter(({ msg }) => msg === 'definitions imported');
  expect(said).toHaveLength(25);
  expect(lines.filter(({ msg }) => msg.includes('is left out'))).toHaveLength(25);
  await api.close();
  const more = { line: 'definitions imported', more: 5, msg: 'more lines of one kind' };
  expect(lines).toContainEqual(expect.objectContaining(more));
});
