// Where the metrics are served: over TLS, with a certificate of their own, and below another path.

import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from '../management/support.ts';
import { type Certificates, makeCertificates, writeServerFiles } from '../support/certificates.ts';

let folder: string;
let made: Certificates;
let api: Api;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'leveret-metrics-'));
  made = makeCertificates();
  const files = writeServerFiles(folder, made.authority, made.server);
  api = await startApi({
    prometheusPort: 0,
    prometheusSslPort: 0,
    prometheusSslCertfile: files.sslCertfile,
    prometheusSslKeyfile: files.sslKeyfile,
    prometheusPath: '/mq/figures',
    prometheusPerObject: true,
  });
});
afterAll(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

const portOf = (key: string): number =>
  api.broker?.addresses.find((each) => each.key === key)?.port ?? 0;

test('the metrics are served over TLS, with a certificate of their own', async () => {
  const [status, name, text] = await new Promise<[number, string, string]>((resolve, reject) => {
    const url = `https://localhost:${portOf('prometheus.ssl')}/mq/figures`;
    get(url, { ca: made.authority.pem, agent: false, family: 4 }, (response) => {
      const { subject } = (response.socket as TLSSocket).getPeerCertificate();
      let all = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        all += part;
      });
      response.on('end', () => resolve([response.statusCode ?? 0, String(subject.CN), all]));
    }).on('error', reject);
  });
  expect([status, name]).toEqual([200, 'localhost']);
  expect(text).toContain('rabbitmq_identity_info');
  const { json } = await api.call('GET', '/overview?columns=listeners,contexts');
  const { listeners } = json as { listeners: { protocol: string; port: number }[] };
  expect(listeners).toContainEqual(
    expect.objectContaining({ protocol: 'https/prometheus', port: portOf('prometheus.ssl') }),
  );
});

test('they lie below another path where that is set, each object by itself where that is', async () => {
  const url = `http://127.0.0.1:${portOf('prometheus.tcp')}`;
  const status = async (path: string) => (await fetch(url + path)).status;
  expect(await status('/metrics')).toBe(404);
  expect(await status('/mq/figures/detailed?family=node_metrics')).toBe(200);
  const text = await (await fetch(`${url}/mq/figures/`)).text();
  expect(text).toContain('rabbitmq_endpoint="per-object"');
  expect(await (await fetch(`${url}/`)).text()).toBe('see /mq/figures\n');
});
