// Owns trying the Debian package as an administrator would: in a fresh Debian 13 it is installed, started by its
// unit's command line, upgraded, removed, installed again and purged, with a client of ours at its port. systemd itself
// does not run there: what the package asks of it is recorded. Never part of `npm test`: it needs root, debootstrap
// and Debian's mirror.
//   npm run deb:test            some minutes; BASE=folder keeps the fresh Debian for the next run

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';
import { Chroot, check } from '../chroot.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const UNIT = '/usr/lib/systemd/system/leveret.service';
const CONF = '/etc/leveret/leveret.conf';
/** What enables the unit. */
const LINK = '/etc/systemd/system/multi-user.target.wants/leveret.service';
/** What was asked of systemd, and whether it is to say that the service runs. */
const ACTS = '/run/systemctl-acts';
const RUNS = '/run/leveret-runs';

const work = mkdtempSync(join(tmpdir(), 'leveret-deb-test-'));
const seconds = {};
const sizes = {};
let chroot = null;
try {
  await main();
  console.log(JSON.stringify({ seconds, bytes: sizes }));
} finally {
  chroot?.remove();
  rmSync(work, { recursive: true, force: true });
}

async function main() {
  const first = await timed('build', () => build('0.1.0'));
  const second = build('0.1.1');
  sizes.deb = statSync(first).size;
  const base = process.env.BASE ?? join(work, 'base');
  // systemd brings systemd-notify; it does not run here.
  chroot = await timed('debian', () =>
    Chroot.make(join(work, 'root'), base, ['systemd', 'nodejs']),
  );
  await timed('install', () => install(first));
  installed();
  const ports = await freePorts();
  configure(ports);
  let broker = await timed('start', () => started(ports));
  await publish(ports.amqp);
  tools();
  await stopped(broker);
  await timed('upgrade', () => install(second));
  check(
    'the upgrade brought the new version',
    chroot.run('leveret', ['--version']).trim() === '0.1.1',
  );
  check(
    'the upgrade kept the configuration',
    readFileSync(chroot.path(CONF), 'utf8').includes(ports.amqp),
  );
  broker = await started(ports);
  await consume(ports.amqp);
  await stopped(broker);
  removed(second);
  purged();
}

function build(version) {
  const script = join(ROOT, 'packaging/deb/build.mjs');
  const said = execFileSync(process.execPath, [script, '--version', version, '--to', work], {
    encoding: 'utf8',
  });
  return said.trim().split('\n').at(-1);
}

function install(file) {
  copyFileSync(file, chroot.path(`/tmp/${basename(file)}`));
  chroot.apt('install', '--reinstall', `/tmp/${basename(file)}`);
}

function installed() {
  check('dpkg says it is installed', /^ii/m.test(chroot.run('dpkg', ['-l', 'leveret'])));
  const owner = chroot.run('stat', ['-c', '%U:%G %a', '/var/lib/leveret']).trim();
  check("the data folder is the user's alone", owner === 'leveret:leveret 700', owner);
  const conf = chroot.run('stat', ['-c', '%U:%G %a', CONF]).trim();
  check('the configuration is read by the user alone', conf === 'root:leveret 640', conf);
  const more = chroot.run('stat', ['-c', '%U:%G %a', '/etc/leveret/conf.d']).trim();
  check('and so is its folder for more', more === 'root:leveret 750', more);
  check('it starts at each boot', enabled());
  check('leveret is on the path', chroot.run('leveret', ['--version']).trim() === '0.1.0');
  check(
    'rabbitmqctl is on the path',
    /leveret/.test(chroot.run('readlink', ['-f', '/usr/sbin/rabbitmqctl'])),
  );
  sizes.installedMiB = Number(chroot.run('du', ['-sm', '/usr/lib/leveret']).split('\t')[0]);
  chroot.run('systemd-analyze', ['verify', UNIT]);
  check('systemd finds no fault in the unit', true);
}

/** What an administrator writes: here, ports that are free on this machine. */
function configure({ amqp, http }) {
  const lines = [
    `listeners.tcp.default = 127.0.0.1:${amqp}`,
    `management.tcp.port = ${http}`,
    'prometheus.tcp.port = none',
  ];
  appendFileSync(chroot.path(CONF), `\n${lines.join('\n')}\n`);
}

/** Runs the unit's command line as its user, and waits for what systemd would wait for. */
async function started(ports) {
  const unit = readFileSync(chroot.path(UNIT), 'utf8');
  const [, line] = /^ExecStart=(.*)$/m.exec(unit);
  const messages = await receiver();
  const log = [];
  const env = { NOTIFY_SOCKET: '/run/leveret-notify', WATCHDOG_USEC: '2000000' };
  const child = chroot.start(line.split(' '), env, ['--userspec=leveret:leveret'], (text) =>
    log.push(text),
  );
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the broker ended:\n${log.join('')}`);
  });
  await Promise.race([messages.until('READY=1'), ended]);
  check('systemd is told that it is ready', true);
  await Promise.race([messages.until('WATCHDOG=1'), ended]);
  check('systemd is told that it lives', true);
  return { child, messages, ended, log, ports };
}

async function stopped({ child, messages, ended, log }) {
  ended.catch(() => {});
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await messages.until('STOPPING=1');
  const [code] = await exit;
  check('it stops with 0, and systemd is told', code === 0, log.join(''));
  messages.close();
}

async function publish(port) {
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${port}`);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('kept', { durable: true });
  for (let n = 0; n < 1000; n++)
    channel.sendToQueue('kept', Buffer.from(String(n)), { persistent: true });
  await channel.waitForConfirms();
  check('a client publishes 1000 messages', true);
  await connection.close();
}

async function consume(port) {
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${port}`);
  const channel = await connection.createChannel();
  const { messageCount } = await channel.checkQueue('kept');
  check('the upgrade kept the data', messageCount === 1000, String(messageCount));
  await connection.close();
}

/** As root, without a password: by the control socket. */
function tools() {
  check(
    'rabbitmqctl lists the queue',
    /^kept\t1000$/m.test(chroot.run('rabbitmqctl', ['-q', 'list_queues'])),
  );
  chroot.run('rabbitmq-diagnostics', ['-q', 'ping']);
  check('rabbitmq-diagnostics pings it', true);
}

function removed(deb) {
  recordSystemctl();
  chroot.apt('remove', 'leveret');
  check('a removal takes the programs', !existsSync(chroot.path('/usr/lib/leveret')));
  check('a removal keeps the data', existsSync(chroot.path('/var/lib/leveret/store')));
  check('a removal keeps the configuration', existsSync(chroot.path(CONF)));
  runs(false);
  const first = asked(() => install(deb));
  check('an installation after it starts the service', first.includes('start'), `${first}`);
  check('which is enabled again', enabled());
  upgradedAsItWas(deb);
  failedRemoval();
  chroot.run('systemctl', ['disable', 'leveret.service']);
  chroot.apt('remove', 'leveret');
  runs(false);
  const acts = asked(() => install(deb));
  check('a service that was disabled stays so', !enabled() && !acts.includes('start'), `${acts}`);
}

/** An upgrade starts what it stopped, and that alone. */
function upgradedAsItWas(deb) {
  for (const [was, acts] of [
    [true, ['stop', 'start']],
    [false, []],
  ]) {
    runs(was);
    const done = asked(() => install(deb)).filter((act) => act !== 'daemon-reload');
    check(
      `an upgrade leaves a service that ${was ? 'runs' : 'is stopped'} as it was`,
      `${done}` === `${acts}`,
      `${done}`,
    );
  }
}

/** dpkg gives a removal up where the old files cannot be kept: it asks the package to be as it was before. */
function failedRemoval() {
  runs(true);
  const script = (name) => `/var/lib/dpkg/info/leveret.${name}`;
  const acts = asked(() => {
    // As dpkg calls them.
    const env = { DPKG_MAINTSCRIPT_PACKAGE: 'leveret', DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT: '1' };
    chroot.run(script('prerm'), ['remove'], env);
    chroot.run(script('postinst'), ['abort-remove'], env);
  });
  check('a removal that was given up starts the service again', acts.includes('start'), `${acts}`);
  const tool = chroot.run('readlink', ['-f', '/usr/sbin/rabbitmqctl']);
  check("and gives RabbitMQ's names back", /leveret/.test(tool), tool);
}

function purged() {
  chroot.apt('purge', 'leveret');
  check(
    'a purge takes data and configuration',
    !existsSync(chroot.path('/var/lib/leveret')) && !existsSync(chroot.path('/etc/leveret')),
  );
  check('a purge leaves no link of the unit', !linked());
}

function linked() {
  return lstatSync(chroot.path(LINK), { throwIfNoEntry: false }) !== undefined;
}

function enabled() {
  return (
    linked() && chroot.run('systemctl', ['is-enabled', 'leveret.service']).trim() === 'enabled'
  );
}

/** Has `systemctl` write down what would go to systemd, which does not run here; the real one does the rest. */
function recordSystemctl() {
  mkdirSync(chroot.path('/run/systemd/system'), { recursive: true });
  const script = `#!/bin/sh
for arg; do case "$arg" in
  start | stop | restart | daemon-reload) echo "$arg" >>${ACTS}; exit ;;
  is-active) if [ -e ${RUNS} ]; then echo active; else echo inactive; exit 3; fi; exit ;;
esac; done
exec /usr/bin/systemctl --root=/ "$@"
`;
  writeFileSync(chroot.path('/usr/local/bin/systemctl'), script, { mode: 0o755 });
}

/** Whether `systemctl` says that the service runs. */
function runs(does) {
  if (does) writeFileSync(chroot.path(RUNS), '');
  else rmSync(chroot.path(RUNS), { force: true });
}

/** What was asked of systemd meanwhile. */
function asked(act) {
  writeFileSync(chroot.path(ACTS), '');
  act();
  return readFileSync(chroot.path(ACTS), 'utf8').split('\n').filter(Boolean);
}

/** What systemd would hear: the messages that come to its socket. */
async function receiver() {
  const socket = chroot.path('/run/leveret-notify');
  rmSync(socket, { force: true });
  const child = spawn('python3', [join(ROOT, 'packaging/systemd/receiver.py'), socket]);
  let heard = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    heard += text;
  });
  const until = async (what) => {
    while (!heard.includes(what)) await once(child.stdout, 'data');
  };
  await until('bound');
  return { until, close: () => child.kill() };
}

async function freePorts() {
  const ports = [];
  const servers = [];
  for (let n = 0; n < 2; n++) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    ports.push(server.address().port);
    servers.push(server);
  }
  for (const server of servers) server.close();
  return { amqp: ports[0], http: ports[1] };
}

async function timed(what, act) {
  const from = performance.now();
  const result = await act();
  seconds[what] = Math.round((performance.now() - from) / 100) / 10;
  return result;
}
