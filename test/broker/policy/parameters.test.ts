import { expect, test } from 'vitest';
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
