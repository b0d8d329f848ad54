import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { expect, test } from 'vitest';
import { WITHOUT_TOOLS } from '../support/without-tools.ts';
import { ROOT } from './support.ts';

const COMMAND = [join(ROOT, 'bin/leveret'), 'start', '--memory', '--port', '0'];
const env = { ...process.env, ...WITHOUT_TOOLS };

/** Starts a broker, and resolves once it listens. */
async function start(...flags: string[]) {
  const child = spawn(process.execPath, [...COMMAND, ...flags], { env });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  while (!output.includes('"listening"')) await once(child.stdout, 'data');
  return { child, output: () => output };
}

test('with --stop-with-stdin a broker stops when its standard input ends, as by SIGTERM', async () => {
  const { child, output } = await start('--stop-with-stdin');
  child.stdin.write('what is written there means nothing');
  child.stdin.end();
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(output()).toContain('"msg":"stopped"');
});

test('with it, a broker ends with the program that started it, even if that is killed', async () => {
  const program = `
    const { spawn } = require('node:child_process');
    const command = ${JSON.stringify([...COMMAND, '--stop-with-stdin'])};
    spawn(process.execPath, command, { stdio: ['pipe', 'inherit', 'inherit'] });
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--eval', program], { env });
  let output = '';
  parent.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (text.includes('"listening"')) parent.kill('SIGKILL');
  });
  // Whoever has the pipe open keeps it from closing: when it closes, the broker is gone too.
  await once(parent.stdout, 'close');
  expect(output).toContain('"msg":"stopped"');
});

test('without it, standard input means nothing', async () => {
  const { child, output } = await start();
  child.stdin.end();
  await once(child.stdin, 'close');
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(output()).toContain('"signal":"SIGTERM","msg":"stopping"');
});

test('with --print-port standard output has the port alone, and standard error the log', async () => {
  const child = spawn(process.execPath, [...COMMAND, '--print-port', '--stop-with-stdin'], { env });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  await once(child.stdout, 'data');
  const connection = await connect(`amqp://127.0.0.1:${said.stdout.trim()}`);
  connection.on('error', () => {});
  child.stdin.end();
  await once(child, 'close');
  expect(said.stdout).toMatch(/^\d+\n$/);
  expect(said.stderr).toContain(`"port":${said.stdout.trim()}`);
});
