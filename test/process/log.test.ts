// The log of a broker process whose reader stands still, or whose disk is full: it goes on, and ends.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import { RawConnection } from '../support/amqp-raw.ts';
import { WITHOUT_TOOLS } from '../support/without-tools.ts';
import { ROOT } from './support.ts';

const undo: (() => void)[] = [];

afterEach(() => {
  for (const each of undo.splice(0).reverse()) each();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'leveret-log-'));
  undo.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A FIFO that is full already, with a reader that never reads; and the writing end. */
function stuckFifo(): number {
  const path = join(folder(), 'fifo');
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  undo.push(() => [reader, filler, writer].forEach(closeSync));
  try {
    for (;;) writeSync(filler, Buffer.alloc(4096, 'x'));
  } catch (error) {
    expect(error).toMatchObject({ code: 'EAGAIN' });
  }
  return writer;
}

function fullDevice(): number {
  const file = openSync('/dev/full', constants.O_WRONLY);
  undo.push(() => closeSync(file));
  return file;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly said: () => string;
}

/** A broker whose log goes to an open file, or whose standard error does as well. */
function run(log: number, args: readonly string[], errors: number | 'pipe' = 'pipe'): Run {
  const child = spawn(process.execPath, [join(ROOT, 'bin', 'leveret'), 'start', ...args], {
    cwd: folder(),
    env: { PATH: process.env['PATH'], ...WITHOUT_TOOLS },
    stdio: ['ignore', log, errors],
  });
  undo.push(() => child.kill('SIGKILL'));
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, ended, said: () => text };
}

/** Connects once the broker listens. */
async function dial(port: number): Promise<RawConnection> {
  const at = { host: '127.0.0.1', port, user: 'guest', password: 'guest', vhost: '/' };
  return eventually(() => RawConnection.dial(at).catch(() => false as const), 'a connection');
}

const OUTPUTS: [string, () => number][] = [
  ['a FIFO whose reader stands still', stuckFifo],
  ['a full disk', fullDevice],
];

for (const format of ['json', 'pretty']) {
  test.each(OUTPUTS)(
    `with lines of ${format} to %s, connects are refused and served, and a stop ends`,
    async (_name, open) => {
      const port = await freePort();
      const args = ['--port', String(port), '--log-format', format, '--memory'];
      const broker = run(open(), args);
      const raw = await dial(port);
      expect((await raw.open()).name).toBe('connection.open-ok');
      await raw.openChannel(1);
      for (let i = 0; i < 300; i++) {
        const foreign = await dial(port);
        foreign.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
        expect((await foreign.next()).name).toBe('protocol header');
        foreign.drop();
      }
      expect((await raw.call(1, 'basic.qos', { prefetchCount: 1 })).name).toBe('basic.qos-ok');
      broker.child.kill('SIGTERM');
      await raw.next();
      raw.send(0, 'connection.close-ok');
      expect(await broker.ended).toBe(0);
      raw.drop();
    },
  );
}

test.each(OUTPUTS)('with a log to %s, why a start fails is on standard error', async (_n, open) => {
  const broker = run(open(), ['--port', '0', '--data-dir', '/dev/null/nowhere']);
  expect(await broker.ended).toBe(1);
  expect(broker.said()).toContain('the data folder /dev/null/nowhere');
});

test('a start that fails ends although neither log nor standard error takes a word', async () => {
  const args = ['--port', '0', '--data-dir', '/dev/null/nowhere'];
  expect(await run(stuckFifo(), args, stuckFifo()).ended).toBe(1);
});
