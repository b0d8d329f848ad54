// Tests of worker.mjs with node:test. Run them with: node --test worker.test.mjs

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { connect } from 'amqplib';
import { startBroker } from 'leveret';
import { RETRY_MS, sendJob, startWorker } from './worker.mjs';

let broker;
let connection;

before(async () => {
  broker = await startBroker({ memory: true });
});

beforeEach(async () => {
  connection = await connect(broker.url, { noDelay: true });
});

afterEach(async () => {
  broker.faults.reset();
  await connection.close();
});

after(() => broker.close());

test('every job is done', async () => {
  const done = [];
  const channel = await startWorker(connection, async (text) => done.push(text));
  for (let n = 1; n <= 5; n++) await sendJob(channel, `${n}`, `job ${n}`);
  await broker.idle();
  assert.deepEqual(done, ['job 1', 'job 2', 'job 3', 'job 4', 'job 5']);
});

test('a job that fails is tried again after half a minute', async () => {
  let attempts = 0;
  const channel = await startWorker(connection, async () => {
    attempts += 1;
    if (attempts === 1) throw new Error('the mail server is down');
  });
  await sendJob(channel, '1', 'mail to anna');
  await broker.idle({ queues: ['jobs'] });
  assert.equal(attempts, 1);
  await broker.clock.advance(RETRY_MS);
  await broker.idle();
  assert.equal(attempts, 2);
});

test('a job that fails three times is put aside', async () => {
  let attempts = 0;
  const channel = await startWorker(connection, async () => {
    attempts += 1;
    throw new Error('no such address');
  });
  await sendJob(channel, '1', 'mail to nobody');
  for (let n = 1; n <= 3; n++) {
    await broker.idle({ queues: ['jobs'] });
    await broker.clock.advance(RETRY_MS);
  }
  await broker.idle({ queues: ['jobs', 'jobs.retry'] });
  assert.equal(attempts, 3);
  const failed = await channel.get('jobs.failed', { noAck: true });
  assert.equal(failed.content.toString(), 'mail to nobody');
});

test('a job that the broker refuses is sent again', async () => {
  const done = [];
  const channel = await startWorker(connection, async (text) => done.push(text));
  const fault = broker.faults.nackNextPublish({ routingKey: 'jobs' });
  await sendJob(channel, '1', 'mail to anna');
  await broker.idle();
  assert.ok(fault.happened);
  assert.deepEqual(done, ['mail to anna']);
});

test('a job whose ack gets lost comes again, and is the same', async () => {
  const seen = [];
  const handle = async (_text, id) => seen.push(id);
  const channel = await startWorker(connection, handle);
  const fault = broker.faults.dropNextAck({ queue: 'jobs' });
  await sendJob(channel, 'mail-7', 'mail to anna');
  await fault.done;
  connection.on('error', () => {});
  broker.faults.cutConnections();
  connection = await connect(broker.url, { noDelay: true });
  await startWorker(connection, handle);
  await broker.idle();
  assert.deepEqual(seen, ['mail-7', 'mail-7']);
});
