// Owns the list of all benches: a new file of benches is one import and one row here.
// Run by `npm run bench`, or `npm run bench -- routing timers` for the groups whose names hold these.

import { queueBenches, wayBenches } from './broker.bench.ts';
import { codecBenches } from './codec.bench.ts';
import { exchangeBenches } from './exchanges.bench.ts';
import { type Bench, report } from './kit.ts';
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

const wanted = process.argv.slice(2);
console.log(`node ${process.version} ${process.platform} ${process.arch}`);
for (const [title, benches] of GROUPS) {
  if (wanted.length === 0 || wanted.some((part) => title.includes(part))) {
    await report(title, benches);
  }
}
