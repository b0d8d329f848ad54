// Owns the Debian package: what npm would install, with a user, a unit and configuration around it. Never
// publishes it, and never changes this machine.
//   npm run deb                      writes leveret_<version>_<architecture>.deb to dist/deb/
//   npm run deb -- --version 0.1.1   in another version: to try an upgrade
//   npm run deb -- --arch arm64      for another architecture: amd64, arm64 or armhf

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pack } from '../npm/pack.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '..', '..');
/** Architectures of Debian, and npm's names of them. */
const CPUS = { amd64: 'x64', arm64: 'arm64', armhf: 'arm' };

const run = (command, args, cwd = ROOT) =>
  execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();

const { values } = parseArgs({
  options: {
    version: {
      type: 'string',
      default: JSON.parse(readFileSync(join(ROOT, 'package.json'))).version,
    },
    arch: { type: 'string', default: run('dpkg', ['--print-architecture']) },
    to: { type: 'string', default: join(ROOT, 'dist', 'deb') },
  },
});
const { version, arch, to } = values;
if (!(arch in CPUS)) throw new Error(`--arch ${arch}: one of ${Object.keys(CPUS).join(', ')}`);
if (!/^[0-9][0-9A-Za-z.+~-]*$/.test(version))
  throw new Error(`--version ${version} is none of Debian's`);

const stage = mkdtempSync(join(tmpdir(), 'leveret-deb-'));
try {
  const deb = build(stage);
  console.log(deb);
} finally {
  rmSync(stage, { recursive: true, force: true });
}

function build(folder) {
  const root = join(folder, 'root');
  const lib = join(root, 'usr/lib/leveret');
  installInto(lib, folder);
  programs(root);
  documents(root, lib);
  put(
    root,
    'usr/lib/systemd/system/leveret.service',
    readFileSync(join(ROOT, 'packaging/systemd/leveret.service')),
  );
  put(root, 'etc/leveret/leveret.conf', readFileSync(join(HERE, 'leveret.conf')));
  put(root, 'etc/default/leveret', readFileSync(join(HERE, 'leveret.default')));
  mkdirSync(join(root, 'etc/leveret/conf.d'), { mode: 0o755 });
  const kib = Number(run('du', ['-sk', '--apparent-size', root]).split('\t')[0]);
  put(root, 'DEBIAN/control', control(kib));
  put(root, 'DEBIAN/conffiles', '/etc/leveret/leveret.conf\n/etc/default/leveret\n');
  for (const script of ['postinst', 'prerm', 'postrm']) {
    put(root, `DEBIAN/${script}`, readFileSync(join(HERE, script)), 0o755);
  }
  chmodSync(root, 0o755);
  mkdirSync(to, { recursive: true });
  const file = join(to, `leveret_${version}_${arch}.deb`);
  run('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', root, file]);
  return file;
}

/** What `npm install` of the package makes, for that architecture. */
function installInto(lib, folder) {
  const packed = pack(folder, version);
  const project = join(folder, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{}\n');
  const where = ['--os', 'linux', '--cpu', CPUS[arch], '--libc', 'glibc'];
  run('npm', ['install', '--no-audit', '--no-fund', '--omit', 'dev', ...where, packed], project);
  mkdirSync(lib, { recursive: true });
  renameSync(join(project, 'node_modules/leveret'), join(lib, 'leveret'));
  mkdirSync(join(lib, 'node_modules'));
  renameSync(join(project, 'node_modules/@lmdb'), join(lib, 'node_modules/@lmdb'));
  const binaries = join(lib, 'node_modules/@lmdb', `lmdb-linux-${CPUS[arch]}`);
  for (const file of readdirSync(binaries)) if (file.includes('musl')) rmSync(join(binaries, file));
  run('chmod', ['-R', 'u=rwX,go=rX', lib]);
}

/** `leveret` on the path; what has RabbitMQ's names is offered by postinst, and lies in a folder of its own. */
function programs(root) {
  const bin = join(root, 'usr/bin');
  mkdirSync(bin, { recursive: true });
  symlinkSync('../lib/leveret/leveret/bin/leveret', join(bin, 'leveret'));
  const named = join(root, 'usr/lib/leveret/rabbitmq/bin');
  mkdirSync(named, { recursive: true });
  for (const name of readdirSync(join(root, 'usr/lib/leveret/leveret/bin'))) {
    if (!name.startsWith('rabbitmq')) continue;
    symlinkSync(`../../leveret/bin/${name}`, join(named, name));
    symlinkSync(`../lib/leveret/leveret/bin/${name}`, join(bin, `leveret-${name}`));
  }
}

function documents(root, lib) {
  const doc = join(root, 'usr/share/doc/leveret');
  mkdirSync(doc, { recursive: true });
  renameSync(join(lib, 'leveret/docs'), join(doc, 'docs'));
  // Where the pages name them: ../packaging/...
  renameSync(join(lib, 'leveret/packaging'), join(doc, 'packaging'));
  renameSync(join(lib, 'leveret/README.md'), join(doc, 'README.md'));
  writeFileSync(
    join(doc, 'changelog.gz'),
    gzipSync(readFileSync(join(lib, 'leveret/CHANGELOG.md'))),
  );
  rmSync(join(lib, 'leveret/CHANGELOG.md'));
  const others =
    'Licenses of what it contains: /usr/lib/leveret/leveret/dist/bundle/LICENSES.txt\n';
  writeFileSync(join(doc, 'copyright'), `${readFileSync(join(ROOT, 'LICENSE'))}\n${others}`);
  rmSync(join(lib, 'leveret/LICENSE'));
  rmSync(join(lib, 'leveret/dist/embed'), { recursive: true });
}

function control(kib) {
  return `Package: leveret
Version: ${version}
Architecture: ${arch}
Maintainer: The Leveret project <leveret@localhost>
Installed-Size: ${kib}
Depends: nodejs (>= 20.15), adduser
Recommends: systemd
Section: net
Priority: optional
Description: AMQP 0-9-1 message broker to which RabbitMQ's clients connect unchanged
 Durable messages are kept in LMDB, and a publisher confirm means that the message
 has been synced to the disk. One process, with RabbitMQ's HTTP API, a web UI,
 metrics for Prometheus, and tools under the names of RabbitMQ's.
`;
}

function put(root, path, content, mode = 0o644) {
  const file = join(root, path);
  mkdirSync(join(file, '..'), { recursive: true, mode: 0o755 });
  writeFileSync(file, content, { mode });
  chmodSync(file, mode);
}
