// Owns the list of all benches: a new file of benches is one import and one row here.
// Run by `npm run bench`, or `npm run bench -- routing timers` for the groups whose names hold these;
// `npm run bench -- --log-groups` measures several logs on one cluster of NATS instead;
// `npm run bench -- --bytes` counts what the way of a message allocates, and fails when it became more.

import { queueBenches, wayBenches } from './broker.bench.ts';
import { compareBytes } from './bytes.ts';
import { codecBenches } from './codec.bench.ts';
import { exchangeBenches } from './exchanges.bench.ts';
import { type Bench, report } from './kit.ts';
import { measureLogGroups } from './log-groups.ts';
import { routingBenches } from './routing.bench.ts';
import { timerBenches } from './timers.bench.ts';

const GROUPS: readonly [string, readonly Bench[]][] = [
  ['routing', routingBenches],
  ['exchanges', exchangeBenches],
  ['timers', timerBenches],
  ['codec', codecBenches],
  ['queue', queueBenches],
  ['publish to deliver', wayBenches],
];

const given = process.argv.slice(2);
const wanted = given.filter((word) => word !== '--bytes');
const wants = (name: string): boolean =>
  wanted.length === 0 || wanted.some((part) => name.includes(part));
console.log(`node ${process.version} ${process.platform} ${process.arch}`);
if (given.includes('--log-groups')) {
  await measureLogGroups();
} else if (given.includes('--bytes')) {
  process.exitCode = (await compareBytes(
    [...queueBenches, ...wayBenches].filter(({ name }) => wants(name)),
  ))
    ? 0
    : 1;
} else {
  for (const [title, benches] of GROUPS) {
    if (wants(title)) await report(title, benches);
  }
}
