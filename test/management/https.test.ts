// The HTTP API over TLS: who is served, what is shown, and that certificates are read again.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { PROTOCOL_HEADER } from '../../src/amqp/constants.ts';
import { HttpApi } from '../../src/cli/verb/http-api.ts';
import {
  type Certificates,
  makeCertificates,
  makeServer,
  writeServerFiles,
} from '../support/certificates.ts';
import { type Api, startApi } from './support.ts';

let folder: string;
let made: Certificates;
let files: ReturnType<typeof writeServerFiles>;
let api: Api | null = null;

/** What the port without TLS answers. */
async function plain(path: string): Promise<unknown> {
  return (await api?.call('GET', path))?.json;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leveret-https-'));
  made = makeCertificates();
  files = writeServerFiles(folder, made.authority, made.server);
});
afterEach(async () => {
  await api?.close();
  api = null;
  rmSync(folder, { recursive: true });
});

/** Starts a broker with both ports; gives the one with TLS. */
async function start(changes: Parameters<typeof startApi>[0] = {}): Promise<number> {
  api = await startApi({ managementSslPort: 0, ...changes });
  const address = api.broker?.addresses.find(({ key }) => key === 'management.ssl');
  expect(address).toMatchObject({ tls: true, port: expect.any(Number) });
  return address?.port ?? 0;
}

/** What a path answers, and the name in the certificate that was shown. */
function ask(port: number, path: string): Promise<{ status: number; name: string; text: string }> {
  return new Promise((resolve, reject) => {
    const url = `https://guest:guest@localhost:${port}/api${path}`;
    get(url, { ca: made.authority.pem, agent: false, family: 4 }, (response) => {
      const name = (response.socket as TLSSocket).getPeerCertificate().subject.CN;
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      const status = response.statusCode ?? 0;
      response.on('end', () => resolve({ status, name: String(name), text }));
    }).on('error', reject);
  });
}

const own = () => ({
  managementSslCertfile: files.sslCertfile,
  managementSslKeyfile: files.sslKeyfile,
});

test('the API answers over TLS as it does without, and both are listeners of the node', async () => {
  const port = await start(own());
  const secure = await ask(port, '/whoami');
  expect(secure).toMatchObject({ status: 200, name: 'localhost' });
  expect(JSON.parse(secure.text)).toEqual(await plain('/whoami'));
  expect(await plain('/overview')).toMatchObject({
    listeners: expect.arrayContaining([expect.objectContaining({ protocol: 'https', port })]),
  });
  const check = await ask(port, `/health/checks/port-listener/${port}`);
  expect(check.status).toBe(200);
});

test('without a certificate of its own it shows that of AMQP', async () => {
  const port = await start(files);
  expect(await ask(port, '/health/checks/alarms')).toMatchObject({ status: 200 });
});

test('a certificate that is replaced is shown once it was read again, and health tells its end', async () => {
  const port = await start(own());
  expect((await ask(port, '/whoami')).name).toBe('localhost');
  const [within, beyond] = ['weeks', 'months'].map((unit) => `2/${unit}`);
  const expiry = '/health/checks/certificate-expiration/';
  expect((await ask(port, expiry + within)).status).toBe(200);
  const soon = await ask(port, expiry + beyond);
  expect(soon).toMatchObject({ status: 503, text: expect.stringContaining('CN=localhost') });
  const { pem, keyPem } = makeServer(made.authority, 'renewed');
  writeFileSync(files.sslCertfile, pem);
  writeFileSync(files.sslKeyfile, keyPem);
  expect((await ask(port, '/whoami')).name).toBe('localhost');
  api?.broker?.renewTls();
  expect((await ask(port, '/whoami')).name).toBe('renewed');
});

test('a browser speaks AMQP over it, which counts as TLS', async () => {
  const port = await start(own());
  const url = `wss://localhost:${port}/ws/amqp`;
  const socket = new WebSocket(url, 'amqp', { ca: made.authority.pem, family: 4 });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const greeting = new Promise((resolve) => socket.once('message', resolve));
  socket.send(PROTOCOL_HEADER);
  await greeting;
  expect(await plain('/connections')).toMatchObject([{ ssl: true, ssl_protocol: 'tlsv1.3' }]);
  socket.close();
});

test('a broker that stops does not wait for who never ends the handshake', async () => {
  const port = await start(own());
  await ask(port, '/whoami');
  const silent = connect(port, '127.0.0.1');
  await new Promise((resolve) => silent.once('connect', resolve));
  const gone = new Promise((resolve) => silent.once('close', resolve));
  await api?.close();
  api = null;
  await gone;
});

test('what is wrong with the files is said with the names of the settings', async () => {
  const starts = (changes: Parameters<typeof startApi>[0]) =>
    startApi({ managementSslPort: 0, ...changes });
  await expect(starts({})).rejects.toThrow(
    'there is a port for HTTPS (management.ssl.port) and no certificate: ' +
      'name its file with management.ssl.certfile',
  );
  await expect(starts({ managementSslCertfile: '/nowhere.pem' })).rejects.toThrow(
    'management.ssl.certfile /nowhere.pem is not there',
  );
  await expect(starts({ managementSslCertfile: files.sslCertfile })).rejects.toThrow(
    'name the file of the key (PEM) with management.ssl.keyfile',
  );
  await expect(starts({ sslCertfile: '/nowhere.pem' })).rejects.toThrow('ssl_options.certfile');
});

test('a verb that does not trust the certificate says how to make it do so', async () => {
  const port = await start(own());
  const verb = new HttpApi({ url: `https://guest:guest@localhost:${port}` });
  await expect(verb.get('/whoami')).rejects.toThrow('NODE_EXTRA_CA_CERTS');
});
