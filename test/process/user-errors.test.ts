// Owns the proof that errors for users are known as such in what really runs: the chunks behind bin/, where one class
// that stood in two chunks would be shown as a bug of ours, with its stack.

import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, useProcesses } from './support.ts';

const processes = useProcesses();

interface Ran {
  readonly code: number | null;
  readonly err: string;
}

function run(program: string, args: readonly string[]): Ran {
  const env = { PATH: process.env['PATH'], LEVERET_URL: 'http://127.0.0.1:1' };
  const ended = spawnSync(process.execPath, [join(ROOT, 'bin', program), ...args], {
    encoding: 'utf8',
    env,
  });
  return { code: ended.status, err: ended.stderr };
}

/** What errors for users look like: one line, and no stack. */
function oneLine(text: string): RegExp {
  return new RegExp(`^leveret: [^\\n]*${text}[^\\n]*\\n$`);
}

test('each kind of error that users can mend is said in one line, without a stack', async () => {
  const folder = processes.folder();
  const broker = await processes.start(folder);
  const there = ['--data-dir', folder];
  expect(run('leveret', ['compact', ...there])).toEqual({
    code: 1,
    err: expect.stringMatching(oneLine('the broker is running as process \\d+ on')),
  });
  await broker.end('SIGTERM');

  const config = (text: string): string => {
    const path = join(processes.folder(), 'own.conf');
    writeFileSync(path, text);
    return path;
  };
  const odd = config('odd_setting = 1\n');
  const tls = config('listeners.ssl.default = 0\nssl_options.certfile = /none.pem\n');
  const emptied = processes.folder();
  await (await processes.start(emptied)).end('SIGTERM');
  rmSync(join(emptied, 'store'), { recursive: true });

  const cases: readonly [args: readonly string[], text: string, code?: number][] = [
    [['start', '--config', odd], 'odd_setting'],
    [['start', '--port', '0', '--data-dir', processes.folder(), '--config', tls], 'ssl_options'],
    [['list_queues', '--data-dir', emptied], 'store'],
    [['list_queues', 'nothing', ...there], "there is no column 'nothing'", 64],
    [['delete_user', 'none', ...there], "there is no user 'none'"],
    [['delete_queue', 'none', ...there], "no queue 'none' in vhost '/'"],
    [['set_permissions', 'guest', '(', '.*', '.*', ...there], '\\('],
    [['list_queues'], 'no broker answers at http://127.0.0.1:1', 69],
    [['perf', '--uri', 'http://x'], 'is not AMQP'],
  ];
  for (const [args, text, code = 1] of cases) {
    expect({ args, ...run('leveret', args) }).toEqual({
      args,
      code,
      err: expect.stringMatching(oneLine(text)),
    });
  }
  expect(run('rabbitmqctl', ['list_queues']).err).toMatch(
    /^Error:\nno broker answers at [^\n]*\n$/,
  );
});
