// Owns trying the commands of the README in a fresh clone, on a Debian that has only Node, npm and git. Never part of
// `npm test`: it needs root, debootstrap and Debian's mirror.
//   npm run clone:try              npm ci, npm start, and the unit tests; BASE=folder keeps the fresh Debian
//   npm run clone:try -- --all     npm test as a whole; without a C compiler and a browser it says what it left out

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Chroot, check } from '../chroot.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'leveret-clone-'));
let chroot = null;
try {
  chroot = Chroot.make(join(work, 'root'), process.env.BASE ?? join(work, 'base'), [
    'nodejs',
    'git',
    'ca-certificates',
  ]);
  chroot.addNpm();
  execFileSync('git', ['clone', '-q', '--bare', ROOT, chroot.path('/srv/leveret.git')]);
  chroot.run('git', ['clone', '-q', '/srv/leveret.git', '/root/leveret']);
  console.log(
    `Node ${chroot.run('node', ['--version']).trim()}, npm ${chroot.run('npm', ['--version']).trim()}`,
  );
  const from = performance.now();
  inClone('npm ci');
  console.log(`npm ci: ${((performance.now() - from) / 1000).toFixed(1)} s`);
  check('npm ci warns of nothing', !/warn/i.test(chroot.errors), chroot.errors);
  check('npm ci changes no file', inClone('git status --short') === '');
  await starts();
  const tests = process.argv.includes('--all') ? 'npm test' : 'npm run -s test:unit';
  console.log(inClone(tests).split('\n').slice(-15).join('\n'));
  check(`${tests} passes`, true);
} finally {
  chroot?.remove();
  rmSync(work, { recursive: true, force: true });
}

function inClone(command) {
  return chroot.run('sh', ['-c', `cd /root/leveret && ${command}`]);
}

/** At other ports than usual, where a broker may run on this machine. */
async function starts() {
  const log = [];
  const flags = '--port 0 --management-port 0 --prometheus-port none';
  const command = `cd /root/leveret && exec npm start -- ${flags}`;
  // In a group of its own: a terminal sends Ctrl-C to npm and to what it started, and npm hands none on.
  const child = chroot.start(['setsid', 'sh', '-c', command], {}, [], (text) => log.push(text));
  const exit = once(child, 'exit');
  while (!log.join('').includes('"management.tcp"')) {
    await Promise.race([once(child.stdout, 'data'), exit]);
    if (child.exitCode !== null) throw new Error(`npm start ended:\n${log.join('')}`);
  }
  check('npm start listens', true);
  process.kill(-child.pid, 'SIGINT');
  await exit;
  check('a signal stops it', log.join('').includes('"stopped"'), log.join(''));
}
