// Owns trying the image where no engine for containers is at hand: buildah makes it from the Dockerfile, each step in
// a chroot, and what it says to run is run in a PID namespace of its own, as process 1. Never part of `npm test`: it needs
// root, debootstrap, buildah and Debian's mirror.
//   npm run docker:check            some minutes; BASE=folder keeps the fresh Debian for the next run
//
// What stands in for the official image of Node is a Debian 13 with Debian's Node 20 and the npm of this machine.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';
import { Chroot, check } from '../chroot.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BASE_IMAGE = 'localhost/leveret-check-base';
const IMAGE = 'localhost/leveret-check';

const work = mkdtempSync(join(tmpdir(), 'leveret-docker-'));
const store = [
  '--root',
  join(work, 'storage'),
  '--runroot',
  join(work, 'run'),
  '--storage-driver',
  'overlay',
];
let base = null;
let mounted = null;
try {
  base = baseImage();
  buildah(
    'bud',
    '--isolation',
    'chroot',
    '--build-arg',
    `NODE_IMAGE=${BASE_IMAGE}`,
    '-f',
    'packaging/docker/Dockerfile',
    '-t',
    IMAGE,
    '.',
  );
  const container = buildah('from', IMAGE);
  mounted = buildah('mount', container);
  const { config } = JSON.parse(buildahText('inspect', '--type', 'image', IMAGE)).OCIv1;
  const own = ['opt/leveret', 'usr/local/bin'].map((each) => join(mounted, each));
  console.log(
    `the layers above the image of Node: ${execFileSync('du', ['-smc', ...own], {
      encoding: 'utf8',
    })
      .trim()
      .split('\n')
      .at(-1)} MiB`,
  );
  await running(config, mounted);
} finally {
  base?.remove();
  if (mounted !== null) spawnSync('buildah', [...store, 'rm', '--all']);
  spawnSync('buildah', [...store, 'rmi', '--all', '--force']);
  rmSync(work, { recursive: true, force: true });
}

/** The last line that it wrote: the name of what it made. */
function buildah(...args) {
  return buildahText(...args)
    .trim()
    .split('\n')
    .at(-1);
}

function buildahText(...args) {
  const stdio = ['ignore', 'pipe', 'inherit'];
  return execFileSync('buildah', [...store, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio,
    maxBuffer: 2 ** 26,
  });
}

/** A Debian with Node and npm, as an image. */
function baseImage() {
  const made = Chroot.make(join(work, 'root'), process.env.BASE ?? join(work, 'base'), [
    'nodejs',
    'ca-certificates',
  ]);
  made.addNpm();
  made.unmount();
  const container = buildah('from', 'scratch');
  buildah('copy', container, made.folder, '/');
  buildah('commit', '--rm', container, BASE_IMAGE);
  return made;
}

/** What the image says to run, as process 1 of a PID namespace, with the variables of a compose file. */
async function running(config, root) {
  const health = readHealth();
  check(
    'the image names its user, ports, volume and signal',
    config.User === 'rabbitmq' &&
      config.StopSignal === 'SIGTERM' &&
      '/var/lib/rabbitmq' in config.Volumes &&
      ['5671/tcp', '5672/tcp', '15672/tcp', '15692/tcp'].every(
        (port) => port in config.ExposedPorts,
      ),
    JSON.stringify(config),
  );
  const env = Object.fromEntries(config.Env.map((each) => each.split(/=(.*)/s).slice(0, 2)));
  // Other ports than usual: the network is that of this machine, where a broker may run.
  const port = 20000 + (process.pid % 20000);
  const given = {
    RABBITMQ_DEFAULT_USER: 'app',
    RABBITMQ_DEFAULT_PASS: 'secret',
    RABBITMQ_DEFAULT_VHOST: 'orders',
  };
  writeFileSync(
    join(root, 'etc/leveret/conf.d/ports.conf'),
    `listeners.tcp.default = ${port}\nmanagement.tcp.port = ${port + 1}\nprometheus.tcp.port = none\n`,
  );
  const argv = [...config.Entrypoint, ...config.Cmd];
  const broker = enter(root, argv, { ...env, ...given });
  const log = [];
  broker.stdout.setEncoding('utf8').on('data', (text) => log.push(text));
  broker.stderr.setEncoding('utf8').on('data', (text) => log.push(text));
  const exit = once(broker, 'exit');
  const until = async (what) => {
    while (!log.join('').includes(what)) {
      const [code] = await Promise.race([once(broker.stdout, 'data'), exit]);
      if (broker.exitCode !== null) throw new Error(`it ended with ${code}:\n${log.join('')}`);
    }
  };
  await until(`"port":${port + 1}`);
  check(
    'a port alone is heard on every interface',
    /"host":"(::|0\.0\.0\.0)","port":\d+/.test(log.join('')),
    log.join(''),
  );
  const inside = execFileSync('pgrep', ['-P', String(broker.pid)], { encoding: 'utf8' })
    .trim()
    .split('\n')[0];
  const status = readFileSync(`/proc/${inside}/status`, 'utf8');
  check(
    "tini is process 1, and no process is root's",
    /^Name:\ttini$/m.test(status) && /^NSpid:.*\t1$/m.test(status) && /^Uid:\t999\t/m.test(status),
    status,
  );
  const connection = await connect(`amqp://app:secret@127.0.0.1:${port}/orders`);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('kept', { durable: true });
  channel.sendToQueue('kept', Buffer.from('x'), { persistent: true });
  await channel.waitForConfirms();
  check("a client logs in with the variables of RabbitMQ's image", true);
  await connection.close();
  const within = (...command) =>
    spawnSync('nsenter', ['-t', inside, '-p', 'chroot', '--userspec=999:999', root, ...command], {
      env: { ...env, ...given },
      encoding: 'utf8',
    });
  const healthy = within(...health);
  check(
    `it is healthy: ${health.join(' ')}`,
    healthy.status === 0,
    healthy.stdout + healthy.stderr,
  );
  for (const tool of [
    ['rabbitmqctl', '-q', 'list_queues', '-p', 'orders'],
    ['rabbitmq-plugins', 'list'],
  ]) {
    const ended = within(...tool);
    check(`${tool.join(' ')} works`, ended.status === 0, ended.stdout + ended.stderr);
  }
  // What a health check leaves behind becomes a child of process 1.
  within('sh', '-c', '(sleep 0.1 &) ; exit 0');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const zombies = execFileSync('ps', ['-o', 'stat=', '--ppid', inside], { encoding: 'utf8' })
    .split('\n')
    .filter((stat) => stat.startsWith('Z'));
  check('process 1 leaves no zombie', zombies.length === 0, String(zombies.length));
  process.kill(Number(inside), config.StopSignal);
  const [code] = await exit;
  check(
    'the signal of a stop reaches the broker, which ends with 0',
    code === 0 && log.join('').includes('"stopped"'),
    `${code}\n${log.join('')}`,
  );
  check(
    'the data lies in the volume, below what a RabbitMQ has there',
    spawnSync('test', ['-d', join(root, 'var/lib/rabbitmq/leveret/store')]).status === 0,
  );
}

/** buildah does not write a health check into an image of OCI's format: it is Docker's. */
function readHealth() {
  const text = readFileSync(join(ROOT, 'packaging/docker/Dockerfile'), 'utf8');
  return JSON.parse(/^HEALTHCHECK .*CMD (\[.*\])$/m.exec(text)[1]);
}

function enter(root, argv, env) {
  const chroot = ['chroot', '--userspec=999:999', root, ...argv];
  mkdirSync(join(root, 'proc'), { recursive: true });
  return spawn(
    'unshare',
    ['--pid', '--fork', '--kill-child', `--mount-proc=${join(root, 'proc')}`, ...chroot],
    { env, stdio: ['ignore', 'pipe', 'pipe'] },
  );
}
