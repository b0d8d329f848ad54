// A test with the fixture for jest. It is an ES module, so run it with:
// NODE_OPTIONS=--experimental-vm-modules npx jest --testMatch '**/fixture.jest.mjs'

import { expect, test } from '@jest/globals';
import { useBroker } from './broker.jest.mjs';

const bench = useBroker();

test('a message waits in its queue', async () => {
  const channel = await bench.connection.createChannel();
  await channel.assertQueue('jobs');
  channel.sendToQueue('jobs', Buffer.from('hello'));
  const message = await bench.broker.queue('jobs').waitForMessage();
  expect(message.body.toString()).toBe('hello');
});

test('the next test has a broker of its own', () => {
  expect(() => bench.broker.queue('jobs')).toThrow('there is no queue');
});
