// A test with the fixture for vitest. Run it with: npx vitest run fixture.spec.mjs

import { expect } from 'vitest';
import { test } from './broker.vitest.mjs';

test('a message waits in its queue', async ({ broker, connection }) => {
  const channel = await connection.createChannel();
  await channel.assertQueue('jobs');
  channel.sendToQueue('jobs', Buffer.from('hello'));
  const message = await broker.queue('jobs').waitForMessage();
  expect(message.body.toString()).toBe('hello');
});

test('the next test has a broker of its own', async ({ broker }) => {
  expect(() => broker.queue('jobs')).toThrow('there is no queue');
});
