// Owns the test of a worker in Go that puts back for ever what fails, and that a policy alone calms. Left out where
// there is no Go, or Debian's sources of its AMQP client are not there: nothing is fetched from anywhere.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SCRIPT_TIMEOUT_MS } from '../support/patience.ts';
import { EXAMPLES, Program, TestBroker } from './broker.ts';

const GOPATH = '/usr/share/gocode';
const broker = new TestBroker();
const folder = mkdtempSync(join(tmpdir(), 'leveret-poison-'));

/** Why the program cannot be built, or null. */
function lacking(): string | null {
  if (spawnSync('go', ['version']).status !== 0) return 'there is no Go';
  const client = join(GOPATH, 'src/github.com/rabbitmq/amqp091-go');
  return existsSync(client) ? null : 'the Go client for AMQP is not there';
}

function build(): string {
  const program = join(folder, 'poison');
  const env = { ...process.env, GO111MODULE: 'off', GOPATH, GOFLAGS: '' };
  const args = ['build', '-o', program, join(EXAMPLES, 'poison.go')];
  const { status, stderr } = spawnSync('go', args, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`go build: ${stderr}`);
  return program;
}

beforeAll(() => broker.start());

afterAll(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('a worker that puts a poison message back for ever is calmed by a policy alone', {
  timeout: SCRIPT_TIMEOUT_MS,
}, async (context) => {
  const lacks = lacking();
  if (lacks !== null) return context.skip(lacks);
  const worker = new Program('poison.go', build(), [], { AMQP_URL: broker.url });
  const connection = await connect(broker.url);
  try {
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('example.poison.dead');
    await worker.says('waiting for jobs');
    for (const body of ['poison', 'job']) channel.sendToQueue('example.poison', Buffer.from(body));
    await worker.says('failed 1000 times');
    expect(worker.output, 'the poison message is in the way of all others').not.toContain('done');
    const calm = {
      'delivery-limit': 5,
      'delayed-retry-min': 10,
      'dead-letter-exchange': '',
      'dead-letter-routing-key': 'example.poison.dead',
    };
    await broker.cli('policy', 'set', 'calm', '^example[.]poison$', JSON.stringify(calm));
    await worker.says('done: job');
    const dead = async () => (await channel.checkQueue('example.poison.dead')).messageCount;
    await expect.poll(dead).toBe(1);
    const message = await channel.get('example.poison.dead', { noAck: true });
    const headers = message === false ? {} : message.properties.headers;
    expect(headers).toMatchObject({ 'x-first-death-reason': 'delivery_limit' });
    expect(headers?.['x-delivery-count']).toBeGreaterThan(1000);
  } finally {
    worker.kill();
    await connection.close();
  }
});
