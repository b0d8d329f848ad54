// Owns the test of how RabbitMQ's tools call a node that has a name of its own.

import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runRabbitmqctl } from '../../src/cli/rabbitmqctl.ts';
import { settingsOf } from '../../src/config/load.ts';
import { type Api, startApi } from '../management/support.ts';
import { capture } from './capture.ts';

let api: Api;

beforeAll(async () => {
  const { nodeName } = settingsOf('test', [['cluster.node', 'n1']]);
  api = await startApi({ nodeName });
  vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:guest@'));
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await api.close();
});

test.each([
  ['rabbitmqctl', ['status'], 'Status of node leveret@n1 ...\n'],
  ['rabbitmqctl', ['cluster_status'], 'Cluster status of node leveret@n1 ...\n'],
  ['rabbitmqctl', ['set_disk_free_limit', '1MB'], 'Setting disk free limit on leveret@n1 to '],
  ['rabbitmqctl', ['restart_vhost'], "is already running on node 'leveret@n1'\n"],
  ['rabbitmq-diagnostics', ['ping'], 'Will ping leveret@n1. '],
  ['rabbitmq-diagnostics', ['check_running'], 'RabbitMQ on node leveret@n1 is fully booted'],
  ['rabbitmq-diagnostics', ['is_running'], 'Asking node leveret@n1 for its status ...\n'],
  ['rabbitmq-plugins', ['list'], '* = running on leveret@n1\n'],
  ['rabbitmq-plugins', ['set', 'rabbitmq_management'], 'configuration to leveret@n1...\n'],
])('%s %s names it', async (program, args, text) => {
  const { out, err, code } = await capture(() => runRabbitmqctl(program, args));
  expect({ err, code }).toEqual({ err: '', code: 0 });
  expect(out).toContain(text);
  expect(out.replaceAll('leveret@n1', '')).not.toMatch(/(node|on) '?leveret\b/);
});

test('without a broker it has the name that nodes have where nothing names them', async () => {
  vi.stubEnv('LEVERET_URL', 'http://127.0.0.1:1');
  const { out } = await capture(() => runRabbitmqctl('rabbitmq-plugins', ['list', '-E']));
  expect(out).toContain('* = running on leveret\n');
});
