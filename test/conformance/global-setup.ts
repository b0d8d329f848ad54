// Finds the broker under test: the one at AMQP_URL, or a Leveret started for this run alone.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestProject } from 'vitest/node';
import { endpointOf, RawConnection, tlsOptionsOf } from '../support/amqp-raw.ts';
import { makeCertificates, writeServerFiles } from '../support/certificates.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { WITHOUT_TOOLS } from '../support/without-tools.ts';
import { prepareManaged, writeDefinitions } from './prepared.ts';

const START_PATIENCE_MS = PATIENCE_MS;
const STOP_PATIENCE_MS = PATIENCE_MS;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const tag = randomBytes(4).toString('hex');
  const given = process.env['AMQP_URL'];
  if (given !== undefined && given !== '') {
    const file = process.env['AMQP_CACERT'];
    const ca = file === undefined ? '' : await readFile(file, 'utf8');
    const isLeveret = await describeBroker(project, given, ca);
    const sweep = isLeveret ? null : await prepareManaged(given, tag);
    project.provide('preparedTag', sweep === null ? '' : tag);
    return sweep ?? (async () => undefined);
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'leveret-conformance-'));
  const definitions = join(dataDir, 'definitions.json');
  await writeDefinitions(definitions, tag);
  project.provide('preparedTag', tag);
  const args = ['bin/leveret', 'start', '--port', '0', '--data-dir', dataDir];
  const overTls = process.env['AMQP_TLS'] === '1';
  const { ca, env } = overTls ? makeTls(dataDir) : { ca: '', env: {} };
  const broker = spawn(process.execPath, [...args, '--log-level', 'info'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...WITHOUT_TOOLS, ...env, LEVERET_LOAD_DEFINITIONS: definitions },
  });
  const stop = async () => {
    await end(broker);
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const port = await listeningPort(broker, overTls);
    const scheme = overTls ? 'amqps' : 'amqp';
    await describeBroker(project, `${scheme}://guest:guest@127.0.0.1:${port}`, ca);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

/** Certificates for a run over TLS, and the variables that make the broker use them. */
function makeTls(folder: string): { ca: string; env: Record<string, string> } {
  const { authority, server } = makeCertificates();
  const files = writeServerFiles(join(folder, 'tls'), authority, server);
  const env = {
    LEVERET_LISTENERS_SSL: '127.0.0.1:0',
    LEVERET_SSL_OPTIONS_CERTFILE: files.sslCertfile,
    LEVERET_SSL_OPTIONS_KEYFILE: files.sslKeyfile,
  };
  return { ca: authority.pem, env };
}

/** Tells the tests what is under test; returns whether it is Leveret. */
async function describeBroker(project: TestProject, url: string, ca: string): Promise<boolean> {
  const raw = await RawConnection.dial(endpointOf(url), tlsOptionsOf(url, ca));
  await raw.start();
  raw.drop();
  project.provide('amqpUrl', url);
  project.provide('amqpCa', ca);
  const isLeveret = raw.serverProperties['server'] === 'Leveret';
  project.provide('brokerIsLeveret', isLeveret);
  project.provide('brokerVersion', String(raw.serverProperties['version']));
  return isLeveret;
}

/** Reads the broker's log, one JSON object a line, until it says where it listens. */
function listeningPort(broker: ChildProcess, tls: boolean): Promise<number> {
  const { stdout } = broker;
  if (stdout === null) throw new Error('the broker has no standard output');
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      clearTimeout(timer);
      reject(new Error(`the broker ${reason}`));
    };
    const timer = setTimeout(() => fail('does not start'), START_PATIENCE_MS);
    broker.once('exit', (code) => fail(`ended with code ${code}`));
    broker.once('error', (error) => fail(`cannot be started: ${error.message}`));
    createInterface({ input: stdout }).on('line', (line) => {
      const entry = parseLine(line);
      if (entry['msg'] !== 'listening' || typeof entry['port'] !== 'number') return;
      if (entry['tls'] !== tls) return;
      clearTimeout(timer);
      resolve(entry['port']);
    });
  });
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function end(broker: ChildProcess): Promise<void> {
  if (broker.exitCode !== null || broker.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => broker.kill('SIGKILL'), STOP_PATIENCE_MS);
    broker.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    broker.kill('SIGTERM');
  });
}
