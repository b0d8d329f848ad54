// connection.start: what the broker says about itself and which mechanisms it offers.
import { expect, it } from 'vitest';
import { expectedFor, useBroker } from '../support/amqp.ts';

const broker = useBroker();

it('announces protocol version 0-9, the locale and its mechanisms', async () => {
  const raw = await broker.dial();
  const start = await raw.start();
  expect(start).toMatchObject({
    name: 'connection.start',
    channel: 0,
    versionMajor: 0,
    versionMinor: 9,
    locales: 'en_US',
  });
  expect(String(start['mechanisms']).split(' ').sort()).toEqual(['AMQPLAIN', 'PLAIN']);
});

it('announces every capability that clients look for', async () => {
  const raw = await broker.dial();
  await raw.start();
  expect(raw.serverProperties['capabilities']).toEqual({
    publisher_confirms: true,
    exchange_exchange_bindings: true,
    'basic.nack': true,
    consumer_cancel_notify: true,
    'connection.blocked': true,
    consumer_priorities: true,
    authentication_failure_close: true,
    per_consumer_qos: true,
    direct_reply_to: true,
  });
});

it('names its product and version so that clients take the right reading of basic.qos', async () => {
  const raw = await broker.dial();
  await raw.start();
  const keys = ['cluster_name', 'copyright', 'information', 'platform', 'product', 'version'];
  for (const key of keys) expect(raw.serverProperties[key]).toEqual(expect.any(String));
  expect(raw.serverProperties['product']).toBe('RabbitMQ');
  expect(raw.serverProperties['version']).toBe(
    expectedFor({ rabbitmq: raw.serverProperties['version'], leveret: '3.13.7' }),
  );
});
