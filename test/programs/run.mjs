// The command line of the trial with programs that people run around a RabbitMQ: Nagios checks, Ansible modules, Prometheus.
//   node test/programs/run.mjs [--only nagios,ansible,prometheus] [--oracle http://guest:guest@127.0.0.1:15673]
// Runs them against a Leveret that it starts; with --oracle the Nagios checks against that RabbitMQ too, whose results
// must be the same. Prints a table; exits 0 when nothing failed.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { OwnBroker } from '../clients/broker.mjs';
import { provide } from '../clients/packages.mjs';
import { formatTable } from '../clients/table.mjs';
import { runAnsible } from './ansible.mjs';
import { runNagios } from './nagios.mjs';
import { runPrometheus } from './prometheus.mjs';

const BIN = fileURLToPath(new URL('../../bin', import.meta.url));
const TOOLS = [
  'rabbitmqctl',
  'rabbitmq-diagnostics',
  'rabbitmq-plugins',
  'rabbitmq-queues',
  'rabbitmq-streams',
  'rabbitmq-upgrade',
];
const PROGRAMS = {
  nagios: { packages: ['nagios-plugins-rabbitmq'], run: runNagios },
  ansible: { packages: ['ansible', 'python3-pika', 'python3-requests'], run: runAnsible },
  prometheus: { packages: ['prometheus', 'openssl'], run: runPrometheus },
};

const { values } = parseArgs({
  options: { only: { type: 'string' }, oracle: { type: 'string' } },
});
const names = values.only?.split(',') ?? Object.keys(PROGRAMS);
for (const name of names) {
  if (PROGRAMS[name] !== undefined) continue;
  console.error(`--only ${name}: there are ${Object.keys(PROGRAMS).join(', ')}`);
  process.exit(2);
}

// Nagios checks know a node as rabbit@HOST alone.
process.env.LEVERET_NODE_NAME = 'rabbit@localhost';
const broker = new OwnBroker();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
process.on('exit', () => broker.remove());
await broker.start();

// The tools under RabbitMQ's names, found as those of a RabbitMQ are. They know the folder, and no password.
const path = join(broker.folder, 'tools');
mkdirSync(path);
for (const tool of TOOLS) symlinkSync(join(BIN, tool), join(path, tool));
const env = {
  ...process.env,
  PATH: `${path}:${process.env.PATH}`,
  LEVERET_DATA_DIR: join(broker.folder, 'data'),
};

const rows = [];
for (const name of names) {
  const { packages, run } = PROGRAMS[name];
  const lacking = provide(packages);
  if (lacking !== '') rows.push({ program: name, step: 'all', result: `skipped: ${lacking}` });
  else rows.push(...(await run({ broker, env, oracle: values.oracle })));
}
await broker.stop();
rmSync(path, { recursive: true, force: true });
console.log(formatTable(rows));
const failed = rows.filter(({ result }) => result.startsWith('failed')).length;
console.log(`\n${rows.length - failed} as expected, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
