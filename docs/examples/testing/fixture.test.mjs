// A test with the fixture for node:test. Run it with: node --test fixture.test.mjs

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useBroker } from './broker.node-test.mjs';

test('a message waits in its queue', async (t) => {
  const { broker, connection } = await useBroker(t);
  const channel = await connection.createChannel();
  await channel.assertQueue('jobs');
  channel.sendToQueue('jobs', Buffer.from('hello'));
  const message = await broker.queue('jobs').waitForMessage();
  assert.equal(message.body.toString(), 'hello');
});

test('the next test has a broker of its own', async (t) => {
  const { broker } = await useBroker(t);
  assert.throws(() => broker.queue('jobs'), /there is no queue/);
});
