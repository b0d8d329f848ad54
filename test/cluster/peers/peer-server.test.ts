import { once } from 'node:events';
import { createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { clientTls } from '../../../src/cluster/peers/peer-key.ts';
import { StoreError } from '../../../src/store/errors.ts';
import { KEY, OTHER_KEY, usePorts } from './ports.ts';

const open = usePorts();

describe('the cluster port', () => {
  test('tells a peer with the secret its state', async () => {
    const { client } = await open();
    expect(await client().status()).toBe('{"role":"leader"}');
  });

  test('refuses a peer with another secret, and both sides say why', async () => {
    const { client, said } = await open();
    const asked = client({ key: OTHER_KEY }).status();
    await expect(asked).rejects.toThrow(StoreError);
    await expect(asked).rejects.toThrow(
      /^node n2 at 127\.0\.0\.1:\d+ does not give .*: it has another cluster\.secret than this node$/,
    );
    expect(said).toMatchObject([
      {
        text: 'refused at the cluster port',
        reason: 'it has another cluster.secret than this node',
      },
    ]);
  });

  test('refuses what is no node', async () => {
    const { port, silent, said } = await open();
    const stranger = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await expect(once(stranger, 'secureConnect')).rejects.toThrow(/handshake failure/);
    const plain = silent();
    plain.write('GET /status HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(plain, 'close');
    expect(said[0]?.reason).toMatch(/it is no node/);
    // Lines that strangers cause come one in a while.
    expect(said).toHaveLength(1);
  });

  test('cuts a stranger that says nothing, and serves peers meanwhile', async () => {
    const { client, silent, said } = await open({}, { handshakeMs: 300 });
    const closed = once(silent(), 'close');
    const status = (): Promise<string> =>
      client()
        .status()
        .catch(() => '');
    await expect.poll(status).not.toBe('');
    await closed;
    await expect.poll(() => said[0]?.reason).toBe('the handshake took too long');
  });

  test('takes so many connections of peers, and no more', async () => {
    const echo = { amqp: () => {}, http: null };
    const { client, said } = await open({ upgrades: echo }, { connectionsMax: 2 });
    const first = await client().open('amqp');
    const second = await client().open('amqp');
    await expect(client().status()).rejects.toThrow(StoreError);
    expect(said[0]?.reason).toMatch(/2 connections of peers already/);
    for (const socket of [first, second]) socket.destroy();
    await expect
      .poll(() =>
        client()
          .status()
          .catch(() => ''),
      )
      .not.toBe('');
  });

  test('has no other answers', async () => {
    const { port } = await open();
    const answers: string[] = [];
    for (const request of [
      'GET /other HTTP/1.1\r\nhost: x\r\n\r\n',
      'POST /status HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n',
      'GET /snapshot HTTP/1.1\r\nhost: x\r\n\r\n',
      'GET /snapshot HTTP/1.1\r\nhost: x\r\nleveret-node: a b\r\n\r\n',
      'GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: amqp\r\n\r\n',
      'GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: __proto__\r\n\r\n',
      `GET /status HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(10_000)}\r\n\r\n`,
    ]) {
      const socket = connectTls({ host: '127.0.0.1', port, ...clientTls(KEY) });
      socket.on('error', () => {});
      socket.end(request);
      let text = '';
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString();
      });
      await once(socket, 'close');
      answers.push(text.slice(9, 12));
    }
    expect(answers).toEqual(['404', '405', '400', '400', '503', '503', '']);
  });

  test('hands a connection over with what has come of it', async () => {
    const { client } = await open({
      upgrades: { amqp: (socket) => socket.pipe(socket), http: null },
    });
    const socket = await client().open('amqp');
    socket.write('AMQP');
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(bytes.toString()).toBe('AMQP');
    socket.destroy();
    await expect(client().open('http')).rejects.toThrow(/it cannot give it now/);
  });

  test('cuts all that came by it when it is closed, and can be opened once', async () => {
    const { client, server, port } = await open({ upgrades: { amqp: () => {}, http: null } });
    const socket = await client().open('amqp');
    await expect(open({}, { port })).rejects.toThrow(/cannot be opened .*EADDRINUSE/);
    const closed = once(socket, 'close');
    await server.close();
    await closed;
    await expect(client().status()).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('a peer that asks', () => {
  test('gives up one that does not answer', async () => {
    const { client } = await open();
    const silent = await silentServer();
    await expect(client({ port: silent.port, answerMs: 50 }).status()).rejects.toThrow(
      /it does not answer/,
    );
    silent.close();
  });
});

async function silentServer(): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('it has no address');
  return { port: address.port, close: () => server.close() };
}
