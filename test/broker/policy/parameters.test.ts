import { expect, test } from 'vitest';
import { checkParameter } from '../../../src/broker/policy/parameter-components.ts';
import { JsonFloat } from '../../../src/util/json/json-float.ts';
import { SmallBroker } from '../small-broker.ts';

test('parameters of a vhost are kept over a restart, the newest value of each', () => {
  const before = new SmallBroker();
  const shovel = { component: 'shovel', name: 's', value: { 'src-uri': 'amqp://', n: [1, null] } };
  before.vhost.parameters.set({ ...shovel, value: 1 });
  before.vhost.parameters.set(shovel);
  before.vhost.parameters.set({ component: 'shovel', name: 'gone', value: true });
  before.vhost.parameters.clear('shovel', 'gone');
  expect(before.restarted().vhost.parameters.list()).toEqual([shovel]);
});

test('global parameters are kept over a restart', () => {
  const before = new SmallBroker();
  before.broker.globalParameters.set({ name: 'cluster_tags', value: { region: 'north' } });
  before.broker.globalParameters.set({ name: 'gone', value: 'x' });
  before.broker.globalParameters.clear('gone');
  expect(before.restarted().broker.globalParameters.list()).toEqual([
    { name: 'cluster_tags', value: { region: 'north' } },
  ]);
});

test('to clear a parameter that is not there is refused', () => {
  const { broker, vhost } = new SmallBroker();
  expect(() => vhost.parameters.clear('shovel', 's')).toThrow('Parameter does not exist');
  expect(() => broker.globalParameters.clear('s')).toThrow('Parameter does not exist');
});

test('a number of a parameter may be a float, a whole one too, and an integer of any size', () => {
  const shovel = { 'src-uri': 'amqp://', 'src-queue': 'q', 'dest-uri': 'amqp://' };
  for (const given of [1, 1.5, new JsonFloat(3_600_000), 2n ** 60n]) {
    const check = () => checkParameter('shovel', 's', { ...shovel, 'reconnect-delay': given });
    expect(check).not.toThrow();
    const upstream = { uri: 'amqp://', expires: given, 'message-ttl': given };
    expect(() => checkParameter('federation-upstream', 'u', upstream)).not.toThrow();
  }
  expect(() => checkParameter('shovel', 's', { ...shovel, 'reconnect-delay': '1' })).toThrow(
    'reconnect-delay should be a number, actually was <<"1">>',
  );
});

test('after how many messages a shovel ends may be an integer of any size, and no float', () => {
  const shovel = { 'src-uri': 'amqp://', 'src-queue': 'q', 'dest-uri': 'amqp://' };
  const check = (given: JsonFloat | bigint | number, more = {}) =>
    checkParameter('shovel', 's', { ...shovel, 'src-delete-after': given, ...more });
  for (const given of [5, 2n ** 60n]) {
    expect(() => check(given)).not.toThrow();
    expect(() => check(given, { 'ack-mode': 'no-ack' })).toThrow("Cannot specify 'no-ack'");
  }
  expect(() => check(new JsonFloat(5))).toThrow('actually was 5.0');
});
