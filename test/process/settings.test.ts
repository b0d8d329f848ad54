// Owns the test that settings change while a broker runs: over HTTP, by verbs, and by SIGHUP.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import { ROOT, useProcesses } from './support.ts';

const processes = useProcesses();

test('settings change over HTTP, by verbs and by SIGHUP, and a broken file changes nothing', async () => {
  const folder = processes.folder();
  const conf = join(folder, 'a.conf');
  writeFileSync(conf, 'vm_memory_high_watermark.relative = 0.3\nheartbeat = 20\n');
  const args = ['--port', '0', '--management-port', '0', '--memory', '--config', conf];
  const broker = await processes.spawn(args, {}, folder).listening();
  const line = (msg: string) => eventually(() => broker.entries.find((e) => e['msg'] === msg), msg);
  const { port } = await eventually(
    () => broker.entries.find(({ listener }) => listener === 'management.tcp'),
    'the port of the HTTP API',
  );
  const api = `http://guest:guest@127.0.0.1:${port}`;
  const call = async (method: string, path: string, body?: object) => {
    const headers = { authorization: `Basic ${btoa('guest:guest')}` };
    const given = body === undefined ? {} : { body: JSON.stringify(body) };
    const url = `http://127.0.0.1:${port}/api${path}`;
    const answer = await fetch(url, { method, headers, ...given });
    return (await answer.json()) as Record<string, unknown>;
  };
  const limit = async (): Promise<number> => {
    const [node] = (await call('GET', '/nodes')) as unknown as { mem_limit: number }[];
    return node?.mem_limit ?? -1;
  };
  const before = await limit();
  const run = async (bin: string, ...words: string[]): Promise<string> => {
    const env = { ...process.env, LEVERET_URL: api };
    const args = [join(ROOT, 'bin', bin), ...words];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env });
    return stdout + stderr;
  };
  // By the verb of rabbitmqctl, which replaces what the file says in the other way.
  expect(await run('rabbitmqctl', 'set_vm_memory_high_watermark', 'absolute', '200MB')).toBe(
    'Setting memory threshold on leveret to 200MB bytes ...\n',
  );
  expect(await limit()).toBe(200e6);
  expect(await run('leveret', 'settings', 'unset', 'vm_memory_high_watermark.absolute')).toContain(
    'none',
  );
  expect(await limit()).toBe(before);
  // A limit of nothing is reached at once: the alarm comes with the change.
  await call('PUT', '/settings/vm_memory_high_watermark.absolute', { value: 1 });
  await line(
    'memory alarm: connections that publish are blocked until less is in use. ' +
      'Consume or purge messages, or raise vm_memory_high_watermark',
  );
  const model = await processes.connect(broker);
  await call('PUT', '/settings/log.level', { value: 'debug' });
  // A connection that was there before, whose lines are those of a logger of its own.
  await (await model.createChannel()).assertQueue('passing', { exclusive: true });
  await eventually(() => broker.entries.find(({ level }) => level === 'debug'), 'a debug line');
  writeFileSync(conf, 'heartbeat = soon\n');
  broker.signal('SIGHUP');
  const stays = 'settings stay as they are: ';
  await eventually(
    () => broker.entries.find(({ msg }) => String(msg).startsWith(`${stays}${conf}:1: heartbeat`)),
    'the line about a broken file',
  );
  expect(await call('GET', '/settings/heartbeat')).toMatchObject({ value: '20' });
  writeFileSync(conf, 'heartbeat = 30\nnode.name = other\n');
  broker.signal('SIGHUP');
  expect(await line('settings read again')).toMatchObject({
    changed: ['heartbeat: 20 -> 30', 'vm_memory_high_watermark.relative: 0.3 -> 0.4'],
  });
  expect(await line('new settings that wait for a restart')).toMatchObject({
    waiting: ['node.name'],
  });
  const { origin, value, changes } = await call('GET', '/settings/heartbeat');
  expect([origin, value, changes]).toEqual([`${conf}:1`, '30', 'for new connections']);
  const refused = await call('PUT', '/settings/node.name', { value: 'x' });
  expect(refused).toMatchObject({
    error: 'bad_request',
    reason: expect.stringContaining('restart'),
  });
});
