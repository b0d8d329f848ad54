// Runs the program of one client and counts its steps. A program prints lines:
//   ok STEP             it did what the step says
//   failed STEP: WHY    and ends
//   skipped STEP: WHY
//   restart             it waits on its standard input for a line once the broker has restarted
// AMQP_URL names the broker, HTTP_URL its HTTP API; AMQP_RESTARTS is 1 where `restart` may be asked for.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A program that takes longer hangs: the slowest, with its compiler, takes a fifth of it. */
const LIMIT_MS = 150_000;
const SHOWN_ERROR_LINES = 15;

export async function runProgram({ command, folder }, broker, print) {
  const scratch = mkdtempSync(join(tmpdir(), 'leveret-client-'));
  const child = spawn(command[0], command.slice(1), {
    cwd: folder,
    env: {
      ...process.env,
      AMQP_URL: broker.url,
      HTTP_URL: broker.httpUrl,
      AMQP_RESTARTS: broker.restarts ? '1' : '0',
      SCRATCH: scratch,
    },
    // A group of its own, so that a worker that the program started ends with it.
    detached: true,
  });
  const end = () => {
    killGroup(child.pid);
    rmSync(scratch, { recursive: true, force: true });
  };
  process.once('exit', end);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const late = setTimeout(() => {
    fail(`everything: not done after ${LIMIT_MS / 1000} seconds`);
    end();
  }, LIMIT_MS);
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors = (errors + chunk).slice(-8000);
  });
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => note(line));
  const [code] = await once(child, 'close').catch((error) => [error.message]);
  clearTimeout(late);
  end();
  process.off('exit', end);
  if (code !== 0 && counts.failed === 0) fail(`everything: the program ended with ${code}`);
  if (counts.passed === 0 && counts.failed === 0) fail('everything: the program did nothing');
  if (counts.failed > 0) printErrors();
  return counts;

  function note(line) {
    if (line === 'restart') restart();
    else if (line.startsWith('ok ')) counts.passed++;
    else if (line.startsWith('failed ')) counts.failed++;
    else if (line.startsWith('skipped ')) counts.skipped++;
    if (line !== 'restart') print(line);
  }

  function fail(what) {
    note(`failed ${what}`);
  }

  function restart() {
    broker.restart().then(
      () => child.stdin.write('restarted\n'),
      (error) => {
        fail(`restart of the broker: ${error.message}`);
        end();
      },
    );
  }

  function printErrors() {
    for (const line of errors.trimEnd().split('\n').slice(-SHOWN_ERROR_LINES)) print(`| ${line}`);
  }
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
