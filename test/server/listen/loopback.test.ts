import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { listenAt } from '../../../src/server/listen/loopback.ts';
import { useServers } from '../support.ts';

const start = useServers();

/** Listens as a machine would that refuses some addresses. */
async function opened(
  host: string,
  port: number,
  refusals: Record<string, string>,
  missing?: (address: string) => void,
) {
  const places: string[] = [];
  const open = (at: string, wanted: number): Promise<number> => {
    const code = refusals[at];
    if (code !== undefined) return Promise.reject(Object.assign(new Error(code), { code }));
    const real = wanted === 0 ? 4000 : wanted;
    places.push(`${at} ${real}`);
    return Promise.resolve(real);
  };
  await listenAt(host, port, open, missing);
  return places;
}

test('localhost is both loopback addresses, on one port also where the system chose it', async () => {
  expect(await opened('localhost', 5672, {})).toEqual(['127.0.0.1 5672', '::1 5672']);
  expect(await opened('localhost', 0, {})).toEqual(['127.0.0.1 4000', '::1 4000']);
});

test.each(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'])(
  'a machine without one of them has the other: %s',
  async (code) => {
    expect(await opened('localhost', 5672, { '::1': code })).toEqual(['127.0.0.1 5672']);
    expect(await opened('localhost', 5672, { '127.0.0.1': code })).toEqual(['::1 5672']);
    await expect(opened('localhost', 1, { '::1': code, '127.0.0.1': code })).rejects.toThrow(code);
  },
);

test('a port that another program has on one of them is an error, unless the system chose it', async () => {
  await expect(opened('localhost', 5672, { '::1': 'EADDRINUSE' })).rejects.toThrow('EADDRINUSE');
  expect(await opened('localhost', 0, { '::1': 'EADDRINUSE' })).toEqual(['127.0.0.1 4000']);
});

test('a star is every interface, by IPv6 where the machine has it', async () => {
  expect(await opened('*', 5672, {})).toEqual([':: 5672']);
  expect(await opened('*', 5672, { '::': 'EAFNOSUPPORT' })).toEqual(['0.0.0.0 5672']);
  await expect(opened('*', 5672, { '::': 'EADDRINUSE' })).rejects.toThrow('EADDRINUSE');
});

test('an address that the machine lacks is told, and is no failure', async () => {
  const missing: string[] = [];
  const refusals = { '::1': 'EADDRNOTAVAIL' };
  await opened('localhost', 5672, refusals, (address) => missing.push(address));
  expect(missing).toEqual(['::1']);
});

test('any other host is just that address', async () => {
  expect(await opened('127.0.0.1', 5672, {})).toEqual(['127.0.0.1 5672']);
  await expect(opened('::1', 1, { '::1': 'EADDRNOTAVAIL' })).rejects.toThrow('EADDRNOTAVAIL');
});

test('a broker on localhost takes connections on each address that the machine has', async () => {
  const broker = await start();
  const key = 'listeners.tcp.default';
  const addresses = await broker.server.listen([{ key, host: 'localhost', port: 0, tls: false }]);
  const ipv6 = Object.values(networkInterfaces())
    .flat()
    .some((each) => each?.address === '::1');
  expect(addresses.map(({ host }) => host)).toEqual(ipv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']);
  for (const { host, port } of addresses) {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(port, host, () => socket.end(resolve));
      socket.once('error', reject);
    });
  }
});
