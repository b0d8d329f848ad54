// Owns a Debian in a folder, for tests of what is installed there: made by debootstrap, entered by chroot, which
// needs root. Never touches the machine around it, and leaves no process and no mount.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const SUITE = 'trixie';
const PATH = '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const MIRROR = 'http://deb.debian.org/debian';

/** A Debian in a folder. */
export class Chroot {
  #children = new Set();

  constructor(folder) {
    this.folder = folder;
  }

  /**
   * A new one with these packages. Debian 13 is the first release whose Node is new enough. `base`: a folder to keep
   * one with nothing installed, so that the next run need not make it again.
   */
  static make(folder, base, packages) {
    if (!existsSync(join(base, 'bin/sh'))) {
      run('debootstrap', ['--variant=minbase', SUITE, base, MIRROR], { stdio: 'ignore' });
    }
    rmSync(folder, { recursive: true, force: true });
    run('cp', ['-a', base, folder]);
    const made = new Chroot(folder);
    cpSync('/etc/resolv.conf', made.path('/etc/resolv.conf'));
    made.mount();
    if (packages.length > 0) made.apt('install', ...packages);
    return made;
  }

  path(inside) {
    return join(this.folder, inside);
  }

  mount() {
    for (const kind of ['proc', 'dev']) {
      mkdirSync(this.path(kind), { recursive: true });
      run('mount', ['--bind', `/${kind}`, this.path(kind)]);
    }
  }

  apt(...args) {
    const quiet = [
      '-qq',
      '-y',
      '--no-install-recommends',
      '-o',
      'Dpkg::Use-Pty=0',
      // Its own would leave out /usr/local.
      '-o',
      `DPkg::Path=${PATH}`,
      '-o',
      'Dpkg::Options::=--force-confold',
    ];
    return this.run('apt-get', [...quiet, ...args], { DEBIAN_FRONTEND: 'noninteractive' });
  }

  /** The npm of this machine: Debian's is old, and brings four hundred packages. */
  addNpm() {
    const found = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim();
    const npm = join(dirname(realpathSync(found)), '..');
    cpSync(npm, this.path('/usr/local/lib/node_modules/npm'), { recursive: true });
    symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', this.path('/usr/local/bin/npm'));
    // npm inside trusts what this machine trusts.
    const authorities = '/etc/ssl/certs/ca-certificates.crt';
    cpSync(authorities, this.path(authorities));
    writeFileSync(this.path('/root/.npmrc'), `cafile=${authorities}\nupdate-notifier=false\n`);
  }

  /** Runs a program to its end; returns what it wrote. Throws with that when it failed. */
  run(command, args = [], env = {}, as = []) {
    const ended = spawnSync('chroot', [...as, this.folder, command, ...args], {
      encoding: 'utf8',
      env: { PATH, HOME: '/root', LC_ALL: 'C.UTF-8', ...env },
      maxBuffer: 2 ** 26,
    });
    if (ended.status !== 0) {
      throw new Error(
        `${command} ${args.join(' ')} ended with ${ended.status}:\n${ended.stdout}${ended.stderr}`,
      );
    }
    this.errors = ended.stderr;
    return ended.stdout;
  }

  /** Starts a program that goes on; `log` gets its lines. */
  start(argv, env, as, log) {
    const child = spawn('chroot', [...as, this.folder, ...argv], {
      env: { PATH, HOME: '/root', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', log);
    return child;
  }

  unmount() {
    for (const kind of ['dev', 'proc']) spawnSync('umount', ['-l', this.path(kind)]);
  }

  /** Ends what runs there, and takes it away. */
  remove() {
    for (const child of this.#children) child.kill('SIGKILL');
    this.unmount();
    // Never through a mount that is still there.
    if (
      ['dev', 'proc'].some((kind) => spawnSync('mountpoint', ['-q', this.path(kind)]).status === 0)
    )
      return;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function run(command, args, options = {}) {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
}

/** Says what is checked, and ends the process with 1 at the first thing that is not so. */
export function check(what, holds, more = '') {
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}${holds ? '' : `: ${more}`}`);
  if (!holds) throw new Error(`it does not hold: ${what}`);
}
