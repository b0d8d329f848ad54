// Owns the test that no secret gets into the log or into what verbs print: passwords however they come,
// and what messages hold. Whatever is added to the log has to pass here.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { type ChannelModel, connect, credentials } from 'amqplib';
import { expect, test } from 'vitest';
import { type BrokerProcess, pause, ROOT, useProcesses } from './support.ts';

const processes = useProcesses();

/** What must not be found anywhere; each is used in a place of its own. */
const CANARIES = {
  plain: 'canary-plain-1f3a',
  amqplain: 'canary-amqplain-77c2',
  wrong: 'canary-wrong-90ab',
  config: 'canary-config-55d1',
  definitions: 'canary-definitions-c0de',
  argument: 'canary-argument-8e21',
  body: 'canary-body-2b7f',
  header: 'canary-header-6d90',
  malformed: 'canary-malformed-41ee',
};

async function refused(connecting: Promise<ChannelModel>): Promise<void> {
  await expect(connecting).rejects.toThrow();
}

/** Publishes what ends in errors of a channel and of a connection. */
async function offend(url: string): Promise<void> {
  const connection = await connect(url);
  connection.on('error', () => {});
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  const options = { headers: { [CANARIES.header]: CANARIES.header }, persistent: true };
  await channel.assertQueue('secrets');
  channel.sendToQueue('secrets', Buffer.from(CANARIES.body), options);
  channel.publish('nowhere', 'key', Buffer.from(CANARIES.body), options);
  await new Promise((resolve) => channel.once('close', resolve));
  await connection.close();
}

/** Sends frames that are none, with a secret in them. */
async function sendGarbage(broker: BrokerProcess): Promise<void> {
  for (const start of ['AMQP\x00\x00\x09\x01', '']) {
    const socket = connectSocket(broker.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      Buffer.from(`${start}\x01\x00\x00\x00\x00\x00\x20${CANARIES.malformed.repeat(40)}`, 'latin1'),
    );
    await Promise.race([new Promise((resolve) => socket.once('close', resolve)), pause(500)]);
    socket.destroy();
  }
}

test('no password, body or header gets into the log, at any level, or into what verbs print', async () => {
  const dataDir = processes.folder();
  const file = join(processes.folder(), 'definitions.json');
  const users = [{ name: 'imported', password: CANARIES.definitions, tags: 'administrator' }];
  const permissions = ['guest', 'imported'].map((user) => {
    return { user, vhost: '/', configure: '.*', write: '.*', read: '.*' };
  });
  const guest = { name: 'guest', password: CANARIES.config, tags: 'administrator' };
  writeFileSync(
    file,
    JSON.stringify({ users: [...users, guest], vhosts: [{ name: '/' }], permissions }),
  );
  const broker = await processes
    .spawn(['--port', '0', '--data-dir', dataDir, '--log-level', 'trace'], {
      LEVERET_LOAD_DEFINITIONS: file,
      LEVERET_DEFAULT_PASS: CANARIES.plain,
    })
    .listening();
  const at = `127.0.0.1:${broker.port}`;
  await refused(connect(`amqp://guest:${CANARIES.wrong}@${at}`));
  await refused(connect(`amqp://${CANARIES.wrong}:x@${at}`.replace(CANARIES.wrong, 'nobody')));
  await refused(
    connect(`amqp://${at}`, { credentials: credentials.amqplain('guest', CANARIES.amqplain) }),
  );
  await offend(`amqp://imported:${CANARIES.definitions}@${at}`);
  await offend(`amqp://guest:${CANARIES.config}@${at}`);
  await sendGarbage(broker);
  await broker.end('SIGTERM');
  const log = JSON.stringify(broker.entries) + broker.stderr;
  expect(broker.entries.length, 'lines to look through').toBeGreaterThan(8);

  const printed = [
    ['add_user', 'one', CANARIES.argument],
    ['change_password', 'one', CANARIES.argument],
    ['authenticate_user', 'one', CANARIES.argument],
    ['authenticate_user', 'one', CANARIES.wrong],
    ['add_user', 'one', CANARIES.argument],
    ['list_users'],
    ['export_definitions', '-'],
    ['check', '--json'],
  ].map((args) => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [join(ROOT, 'bin', 'leveret'), ...args, '--data-dir', dataDir],
      { encoding: 'utf8' },
    );
    return stdout + stderr;
  });
  expect(printed.join('')).toContain('imported');
  const all = log + printed.join('');
  for (const [where, canary] of Object.entries(CANARIES)) {
    expect(all.includes(canary), where).toBe(false);
    expect(all.includes(Buffer.from(canary).toString('base64')), `${where} in base64`).toBe(false);
    expect(all.includes(Buffer.from(canary).toString('hex')), `${where} in digits`).toBe(false);
  }
});
