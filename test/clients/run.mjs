// The command line of the trial with real clients:
//   node test/clients/run.mjs [--only pika,go] [--url amqp://guest:guest@127.0.0.1:5673]
// Runs one program per client library against a Leveret that it starts and restarts, or against the
// broker at --url. Prints what each did and a table; exits 0 when no step failed.
import { parseArgs } from 'node:util';
import { BrokerAtUrl, OwnBroker } from './broker.mjs';
import { CLIENTS } from './clients.mjs';
import { provide } from './packages.mjs';
import { runProgram } from './program.mjs';
import { formatTable } from './table.mjs';

const { values } = parseArgs({
  options: { only: { type: 'string' }, url: { type: 'string' } },
});

const clients = choose(values.only);
const broker = values.url === undefined ? new OwnBroker() : new BrokerAtUrl(values.url);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
process.on('exit', () => broker.remove());
await broker.start();
console.log(`broker: ${broker.title}`);

const rows = [];
for (const client of clients) rows.push(await run(client));
await broker.stop();
console.log(`\n${formatTable(rows)}`);
process.exit(rows.some(({ failed }) => failed > 0) ? 1 : 0);

function choose(only) {
  const names = only?.split(',') ?? Object.keys(CLIENTS);
  for (const name of names) {
    if (CLIENTS[name] !== undefined) continue;
    console.error(`--only ${name}: no such client; there are ${Object.keys(CLIENTS).join(', ')}`);
    process.exit(2);
  }
  return names.map((name) => ({ name, ...CLIENTS[name] }));
}

async function run(client) {
  const lacking = provide(client.packages);
  if (lacking !== '') {
    console.log(`skipped: ${client.name}: ${lacking}`);
    return { client: client.name, version: '', passed: 0, failed: 0, skipped: 'all' };
  }
  const version = client.version();
  console.log(`\n${client.name} ${version}`);
  const { passed, failed, skipped } = await runProgram(client, broker, (line) =>
    console.log(`  ${line}`),
  );
  return { client: client.name, version, passed, failed, skipped };
}
