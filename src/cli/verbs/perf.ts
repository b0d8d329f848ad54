// Owns the verb `perf`: its options, and printing. Never measures: src/perf/ does.

import { Command, InvalidArgumentError, Option } from 'commander';
import { argumentsFromText } from '../../perf/arguments.ts';
import type { PerfPlan } from '../../perf/plan.ts';
import type { Interval } from '../../perf/run.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import { UserError } from '../../util/user-error.ts';
import { print, printError } from '../print.ts';
import type { Options } from '../verb/verb.ts';
import { describe, parseInteger } from '../verb/verb-runner.ts';

const number = (
  flags: string,
  about: string,
  initial: number,
  shown?: string,
  most = Number.MAX_SAFE_INTEGER,
): Option =>
  new Option(flags, about)
    .argParser((text) => parseCount(text, most))
    .default(initial, shown ?? String(initial));

/** Each takes a connection or a queue; more are made by no machine. */
const ENDS_MAX = 100_000;
/** What the broker takes at most: `max_message_size`. */
const BODY_BYTES_MAX = 2 ** 29;
/** What basic.qos has room for. */
const PREFETCH_MAX = 65_535;

function parseCount(text: string, most: number): number {
  const count = parseInteger(text);
  if (count < 0) throw new InvalidArgumentError('It must be 0 or more.');
  if (count > most) throw new InvalidArgumentError(`It must be ${most} at most.`);
  return count;
}

const DEFAULT_URL = 'amqp://guest:guest@127.0.0.1:5672/';

/** One URL more, or several with commas between; a host alone has the rest of the URL before it in its list. */
function addUrls(text: string, before: readonly string[]): string[] {
  const urls = text.split(',').map((each) => each.trim());
  if (urls.includes('')) throw new InvalidArgumentError('A URL of the list is empty.');
  let [start, end] = ['amqp://', ''];
  const whole = urls.map((each) => {
    const parts = /^(\w+:\/\/(?:[^@/]*@)?)[^/]*(\/.*)?$/.exec(each);
    if (parts === null)
      return each.includes('://') ? each : start + each + (each.includes('/') ? '' : end);
    [start, end] = [parts[1] as string, parts[2] ?? ''];
    return each;
  });
  return [...before, ...whole];
}

const ends = (flags: string, about: string): Option =>
  new Option(flags, about)
    .argParser((text) => parseCount(text, ENDS_MAX))
    .default(null, 'one for each broker');

/** The command `leveret perf`. */
export function perfCommand(): Command {
  const command = new Command('perf')
    .description('Load any AMQP 0-9-1 broker, and measure it.')
    .helpOption('-h, --help', 'Show this help.')
    .addHelpText('after', MORE);
  for (const option of OPTIONS) command.addOption(option);
  return command.action(async (options: Options) => {
    try {
      const json = options['json'] === true || options['format'] === 'json';
      await runAndTell(planOf(options), json);
    } catch (error) {
      printError(`leveret: ${describe(error, null)}\n`);
      process.exitCode = 1;
    }
  });
}

const OPTIONS: readonly Option[] = [
  new Option('-H, --url <url>', 'The broker; for several, repeat it or separate them by commas.')
    .argParser(addUrls)
    .default([], DEFAULT_URL),
  new Option('--uri <url>').argParser(addUrls).default([]).hideHelp(),
  ends('-x, --producers <n>', 'How many producers, each on its own connection.'),
  ends('-y, --consumers <n>', 'How many consumers.'),
  new Option('-u, --queue <name>', 'The queue.').default('perf'),
  number('--queues <n>', 'Use this many queues, name-1 to name-n, in turn.', 1, '1', ENDS_MAX),
  new Option('-e, --exchange <name>', 'The exchange.').default('', 'the default one'),
  new Option('-t, --type <type>', 'Its type.').default('direct'),
  new Option('-k, --routing-key <key>', 'The routing key, and the binding key.').default(
    null,
    'the name of the queue',
  ),
  number(
    '-s, --size <bytes>',
    'The size of bodies; from 12 bytes on they carry a timestamp.',
    12,
    '12',
    BODY_BYTES_MAX,
  ),
  new Option('-f, --persistent', 'Persistent messages in durable queues.'),
  new Option('--mandatory', 'Mandatory messages: unroutable ones are returned.'),
  number('-c, --confirm <n>', 'How many publishes may wait for a confirm; 0: no confirms.', 0),
  number('-r, --rate <n>', 'Messages a second of each producer.', 0, 'as fast as it goes'),
  number('-q, --qos <n>', 'The prefetch of each consumer; 0: no limit.', 0, '0', PREFETCH_MAX),
  new Option('-a, --autoack', 'Consume without acks.'),
  number('-A, --multi-ack-every <n>', 'Ack this many messages at a time.', 1),
  number('-z, --time <seconds>', 'How long.', 0, 'until Ctrl-C'),
  number(
    '-C, --pmessages <n>',
    'Messages of each producer; then wait for the consumers.',
    0,
    'no limit',
  ),
  new Option('--queue-args <json>', 'Arguments of the queues.').default('{}', 'none'),
  new Option('-p, --predeclared', 'The queues and bindings exist already.'),
  new Option('--json', 'Show it as JSON, and print nothing else.'),
  new Option('--format <format>', 'table or json.').choices(['table', 'json']).default('table'),
];

const MORE = `
Examples:
  leveret perf -z 10                              as fast as it goes, for ten seconds
  leveret perf -f -c 1000 -q 500 -A 50 -z 10      persistent, confirmed, acked
  leveret perf -r 1000 -z 30                      latencies at a thousand messages a second
  leveret perf -x 50 -y 50 --queues 50 -s 100     many of each
  leveret perf --url one,two:5673 -c 100 -z 10    two brokers, with latencies of confirms
  leveret perf -H amqp://a:5672,b:5673,c:5674 -f -c 1000   a cluster, over failovers of its nodes

With several hosts, each end begins at another one. It goes to the next when a host cannot be reached or its
connection is lost, declares its queue again and goes on. What was not confirmed then is counted as unconfirmed and
is not sent again; deliveries marked as redelivered are counted apart from those received. Where no host answers
for a minute, the test fails.

Latencies count from the time that a message was to be sent: with a rate, one that had to wait in the
producer has waited. All ends share one clock, that of this process.`;

function planOf(options: Options): PerfPlan {
  const text = (name: string): string => String(options[name]);
  const value = (name: string): number => Number(options[name]);
  const [queues, persistent] = [value('queues'), options['persistent'] === true];
  if (queues < 1) throw new UserError('--queues must be at least 1');
  const name = text('queue');
  const given = ['url', 'uri'].flatMap((option) => options[option] as string[]);
  const urls = given.length === 0 ? [DEFAULT_URL] : given;
  return {
    urls,
    producers: (options['producers'] as number | null) ?? urls.length,
    consumers: (options['consumers'] as number | null) ?? urls.length,
    queues: queues === 1 ? [name] : Array.from({ length: queues }, (_, i) => `${name}-${i + 1}`),
    exchange: text('exchange'),
    exchangeType: text('type'),
    routingKey: options['routingKey'] === null ? null : text('routingKey'),
    bodyBytes: value('size'),
    persistent,
    durable: persistent,
    queueArguments: argumentsFromText(text('queueArgs')),
    mandatory: options['mandatory'] === true,
    confirmWindow: value('confirm'),
    rate: value('rate'),
    prefetch: value('qos'),
    autoAck: options['autoack'] === true,
    ackEvery: Math.max(1, value('multiAckEvery')),
    seconds: value('time') || Infinity,
    messages: value('pmessages') || Infinity,
    run: Math.floor(Math.random() * 2 ** 32),
    predeclared: options['predeclared'] === true,
  };
}

async function runAndTell(plan: PerfPlan, json: boolean): Promise<void> {
  const { runPerf } = await import('../../perf/run.ts');
  const { intervalLine, resultToJson, summary } = await import('../../perf/report.ts');
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const onNote = (text: string): void => printError(`leveret: ${text}\n`);
    const onInterval = (interval: Interval): void => {
      if (!json) print(intervalLine(interval));
    };
    const result = await runPerf(plan, stop.signal, onInterval, onNote);
    print(json ? `${jsonText(resultToJson(result))}\n` : summary(result));
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
