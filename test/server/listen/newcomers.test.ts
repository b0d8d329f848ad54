// Peers that have not logged in: they are bounded, and give way where sockets run out.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { Newcomers } from '../../../src/server/listen/newcomers.ts';
import { PATIENCE_MS, SLOTS_MAX } from '../../../src/util/fair-slots.ts';
import { eventually } from '../../support/amqp.ts';
import { makeCertificates, writeServerFiles } from '../../support/certificates.ts';
import { FakeMachine } from '../../support/fake-machine.ts';
import { FakeClock, useServers } from '../support.ts';

const start = useServers();
const folder = mkdtempSync(join(tmpdir(), 'leveret-newcomers-'));
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Peers of an address, and those of them that were cut. */
function stage(max: number) {
  const newcomers = new Newcomers(max);
  const cut: string[] = [];
  const come = (name: string, address: string): object => {
    const peer = {};
    newcomers.came(peer, address, () => cut.push(name));
    return peer;
  };
  return { newcomers, cut, come };
}

test('the address that has most gives way, the first of it first', () => {
  const { newcomers, cut, come } = stage(100);
  come('alice', '10.0.0.1');
  for (let n = 0; n < 3; n++) come(`m${n}`, '10.0.0.2');
  expect([newcomers.giveWay(), newcomers.giveWay()]).toEqual([true, true]);
  expect(cut).toEqual(['m0', 'm1']);
  expect(newcomers.size).toBe(2);
});

test('there are no more than may be, however many come, and others stay', () => {
  const { newcomers, cut, come } = stage(50);
  come('alice', '10.0.0.1');
  for (let n = 0; n < 10_000; n++) come('m', '10.0.0.2');
  expect(newcomers.size).toBe(50);
  expect(cut).toHaveLength(9951);
  expect(cut).not.toContain('alice');
});

test('one that has logged in or is gone does not give way', () => {
  const { newcomers, cut, come } = stage(10);
  newcomers.left(come('alice', '10.0.0.1'));
  newcomers.left({});
  expect(newcomers.giveWay()).toBe(false);
  expect([cut, newcomers.size]).toEqual([[], 0]);
});

/** A socket from another address of this machine, that says nothing. */
async function mute(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

test.each([
  ['say nothing', false],
  ['begin a handshake of TLS', true],
])('where no socket is left, peers that %s give way to one that logs in', async (_how, tls) => {
  const made = makeCertificates();
  const files = writeServerFiles(folder, made.authority, made.server);
  const broker = await start(files, new FakeClock(), new FakeMachine(10));
  const first = await broker.open();
  const { port } = tls ? broker.tlsEndpoint : broker.endpoint;
  for (let n = 0; n < 30; n++) await mute(port);
  await eventually(() => broker.server.socketLimit.newcomers.size >= 9);
  for (let n = 0; n < 5; n++) await broker.open();
  expect((await first.call(1, 'queue.declare', { queue: 'q' })).name).toBe('queue.declare-ok');
  expect(broker.server.socketLimit.newcomers.size).toBeLessThanOrEqual(10);
  for (const socket of sockets.splice(0)) socket.destroy();
  await eventually(() => broker.server.socketLimit.newcomers.size === 0);
});

test('a peer comes through the handshake of TLS while another address holds all places in it', async () => {
  const made = makeCertificates();
  const files = writeServerFiles(folder, made.authority, made.server);
  const clock = new FakeClock();
  const broker = await start(files, clock);
  const { newcomers } = broker.server.socketLimit;
  for (let n = 0; n < SLOTS_MAX + 20; n++) await mute(broker.tlsEndpoint.port);
  await eventually(() => newcomers.size === SLOTS_MAX + 20);
  let opened = false;
  const opening = broker.openTls({ ca: made.authority.pem }).then((raw) => {
    opened = true;
    return raw;
  });
  await eventually(() => newcomers.size === SLOTS_MAX + 21);
  expect(opened).toBe(false);
  // Each of those that wait may have been looked at just before its second was over.
  const skip = (): void => {
    clock.nowMs += PATIENCE_MS;
    broker.server.wheel.advance();
  };
  await eventually(() => {
    if (!opened) skip();
    return opened;
  });
  expect((await (await opening).call(1, 'queue.declare', { queue: 'q' })).name).toBe(
    'queue.declare-ok',
  );
  for (const socket of sockets.splice(0)) socket.destroy();
});
