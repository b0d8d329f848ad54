import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type ProxiedPeer, writeProxyLine } from '../../../src/util/proxy/proxy-line.ts';
import { RawConnection } from '../../support/amqp-raw.ts';
import { makeCertificate, makeCertificates } from '../../support/certificates.ts';
import { type TestServer, useServers } from '../support.ts';

const servers = useServers();
const open: (Server | Socket)[] = [];

afterEach(() => {
  for (const each of open.splice(0)) {
    if ('destroy' in each) each.destroy();
    else each.close();
  }
});

const CLIENT: ProxiedPeer = {
  peerHost: '10.1.2.3',
  peerPort: 40_000,
  host: '10.1.2.4',
  port: 5672,
  tls: null,
};

/** A port whose connections are taken as those of another node. */
async function portOf(broker: TestServer): Promise<number> {
  const server = createServer((socket) => broker.server.proxied.accept(socket));
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('it has no address');
  return address.port;
}

/** A connection that sends these bytes first. */
async function dial(port: number, ...first: Buffer[]): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  open.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  for (const bytes of first) socket.write(bytes);
  return socket;
}

function lineOf(changed: Partial<ProxiedPeer> = {}): Buffer {
  const line = writeProxyLine({ ...CLIENT, ...changed });
  if (line === null) throw new Error('there is no line');
  return line;
}

async function amqp(broker: TestServer, changed: Partial<ProxiedPeer>): Promise<RawConnection> {
  const socket = await dial(await portOf(broker), lineOf(changed));
  return RawConnection.over(socket, broker.endpoint);
}

describe('a connection that another node hands on', () => {
  test('is that of the client: guest may log in from the loopback alone', async () => {
    const broker = await servers();
    const local = await amqp(broker, { peerHost: '127.0.0.1' });
    expect((await local.open()).name).toBe('connection.open-ok');
    const far = await amqp(broker, { peerHost: '10.1.2.3' });
    expect((await far.open()).name).toBe('connection.close');
    const six = await amqp(broker, { peerHost: '2001:db8::1', host: '::1' });
    expect((await six.open()).name).toBe('connection.close');
    expect(broker.lines.map(({ reason, msg }) => reason ?? msg).join()).toMatch(/loopback/);
  });

  test('is told of by the addresses of the client', async () => {
    const broker = await servers();
    const raw = await amqp(broker, { peerHost: '::1', host: '2001:db8::7' });
    await raw.open();
    const [connection] = broker.server.openConnections;
    expect(connection?.facts).toMatchObject({
      peerHost: '::1',
      peerPort: 40_000,
      host: '2001:db8::7',
      port: 5672,
      tls: null,
    });
    expect(broker.server.proxied.count).toBe(1);
    raw.drop();
    await expect.poll(() => broker.server.proxied.count).toBe(0);
  });

  test('shows the certificate that the client has shown', async () => {
    const broker = await servers();
    const { authority } = makeCertificates();
    const { der } = makeCertificate({ subject: [['CN', 'guest']], signedBy: authority });
    const tls = { protocol: 'TLSv1.3', cipher: 'x', certificate: der, refusal: null };
    const raw = await amqp(broker, { peerHost: '127.0.0.1', tls });
    await raw.open();
    const [connection] = broker.server.openConnections;
    expect(connection?.facts.certificate.peer_cert_subject).toBe('CN=guest');
  });

  test('may come in pieces, or with what the client says behind its line', async () => {
    const broker = await servers();
    const port = await portOf(broker);
    const line = lineOf({ peerHost: '127.0.0.1' });
    const header = Buffer.from('AMQP\0\0\x09\x01', 'latin1');
    const together = await dial(port, Buffer.concat([line, header]));
    const [start] = (await once(together, 'data')) as [Buffer];
    expect(start[0]).toBe(1);
    const pieces = await dial(port);
    for (const octet of Buffer.concat([line, header])) {
      pieces.write(Buffer.from([octet]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [again] = (await once(pieces, 'data')) as [Buffer];
    expect(again.equals(start)).toBe(true);
  });

  test('without a line is cut, as AMQP of no client', async () => {
    const broker = await servers();
    const port = await portOf(broker);
    for (const first of [
      'AMQP\0\0\x09\x01',
      'GET / HTTP/1.1\r\n\r\n',
      '\r\n\r\n\0\r\nQUIT\n\x20',
    ]) {
      const socket = await dial(port, Buffer.from(`${first}${'x'.repeat(20)}`, 'latin1'));
      socket.resume();
      await once(socket, 'close');
    }
    expect(broker.connectionCount).toBe(0);
    await expect.poll(() => broker.server.proxied.count).toBe(0);
  });

  test('is cut while no new ones are taken', async () => {
    const broker = await servers();
    broker.server.intake.suspend();
    const socket = await dial(await portOf(broker), lineOf({ peerHost: '127.0.0.1' }));
    socket.resume();
    await once(socket, 'close');
    await broker.server.intake.resume();
  });

  test('is cut once the broker stops, also where its line is still to come', async () => {
    const broker = await servers();
    const port = await portOf(broker);
    const early = await dial(port);
    await expect.poll(() => broker.server.proxied.count).toBe(1);
    await broker.server.closeConnections('the test says so');
    const late = await dial(port, lineOf({ peerHost: '127.0.0.1' }));
    for (const socket of [early, late]) {
      socket.resume();
      if (!socket.closed) await once(socket, 'close');
    }
    expect(broker.connectionCount).toBe(0);
  });
});
