// Owns the verbs that wait for a broker and stop it. Never starts one.

import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { EXIT_TIMEOUT, EXIT_UNAVAILABLE, EXIT_USAGE } from '../exit-codes.ts';
import { HttpApi, targetAt } from '../verb/http-api.ts';
import { type CtlCall, CtlError, type CtlVerb } from './ctl-verb.ts';
import { nodeOf } from './node-facts.ts';

const PAUSE_MS = 250;
/** How long RabbitMQ's tools wait without --timeout. */
const STARTUP_MS = 300_000;
const WAIT_MS = 10_000;
const STOP_MS = 60_000;
/** How a broker is stopped that this tool may not signal. */
const ELSE =
  "stop it where it was started: 'systemctl stop', 'docker stop', or 'kill' on its machine";

export const NODE_VERBS: readonly CtlVerb[] = [
  {
    name: 'await_startup',
    about: 'Wait until the broker takes connections.',
    lenient: true,
    run: (call) => awaitStart(call, STARTUP_MS, () => true),
  },
  {
    name: 'wait',
    arguments: '[pidfile]',
    about: 'Wait until the broker of a pid file, or of --pid, takes connections.',
    options: [new Option('-P, --pid <pid>', 'The process of the broker.')],
    banner: ({ words: [file], options: { pid } }) =>
      pid === undefined ? `Waiting for pid file '${file}' to appear` : `pid is ${pid}`,
    run: awaitProcess,
  },
  {
    name: 'await_online_nodes',
    arguments: '<count>',
    about: 'Wait until so many nodes are online: one, or those of a cluster.',
    banner: ({ words: [count] }) => `Will wait for at least ${count} nodes to join the cluster`,
    run: async (call) => {
      const count = call.words[0] ?? '';
      if (!/^\d{1,9}$/.test(count)) {
        throw new CtlError(EXIT_USAGE, `the count of nodes is a number, not '${count}'`);
      }
      return `Now ${await awaitNodes(call, Number(count))} node(s) are online\n`;
    },
  },
  ...['await_online_quorum_plus_one', 'await_online_synchronized_mirror'].map(
    (name): CtlVerb => ({
      name,
      about: 'Wait until the broker takes connections: no other node depends on it.',
      lenient: true,
      banner: () => 'Will wait for a quorum + 1 of nodes to be online ...',
      run: (call) => awaitStart(call, STARTUP_MS, () => true),
    }),
  ),
  {
    name: 'stop',
    arguments: '[pidfile]',
    about: 'Stop the broker, on its own machine.',
    namesNode: true,
    banner: ({ node }) => `Stopping and halting node ${node} ...`,
    run: stop,
  },
  {
    name: 'shutdown',
    about: 'Stop the broker on its own machine, and wait for its end.',
    lenient: true,
    namesNode: true,
    banner: ({ node }) => `Shutting down RabbitMQ node ${node} ...`,
    run: stop,
  },
];

/** Waits until the broker takes connections; `goesOn` says whether that may still come. */
async function awaitStart(
  { api, timeoutMs }: CtlCall,
  usualMs: number,
  goesOn: () => boolean,
): Promise<undefined> {
  const untilMs = Date.now() + (timeoutMs ?? usualMs);
  for (;;) {
    try {
      await api.get('/health/checks/ready-to-serve-clients');
      return undefined;
    } catch (error) {
      if (!goesOn()) throw new CtlError(EXIT_UNAVAILABLE, 'process_not_running: it has ended');
      if (Date.now() > untilMs) {
        const { message } = error as Error;
        throw new CtlError(EXIT_TIMEOUT, `operation timed out: ${message}`);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** Waits until so many nodes run; resolves with how many do. */
async function awaitNodes(call: CtlCall, count: number): Promise<number> {
  const { api, timeoutMs } = call;
  const untilMs = Date.now() + (timeoutMs ?? STARTUP_MS);
  await awaitStart(call, STARTUP_MS, () => true);
  for (;;) {
    const nodes = await api.get<{ running: boolean; leveret?: object }[]>('/nodes');
    const online = nodes.filter(({ running }) => running).length;
    if (online >= count) return online;
    if (nodes.length === 1 && nodes[0]?.leveret === undefined) {
      throw new CtlError(EXIT_TIMEOUT, `Leveret is one node: ${count} nodes will never be online`);
    }
    if (Date.now() > untilMs) {
      throw new CtlError(
        EXIT_TIMEOUT,
        `operation timed out: ${online} of ${count} nodes are online`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function awaitProcess(call: CtlCall): Promise<undefined> {
  const [file] = call.words;
  const { pid: given } = call.options;
  if (given === undefined && file === undefined) {
    throw new CtlError(EXIT_USAGE, '(argument validation) no pid or pidfile specified');
  }
  const limitMs = call.timeoutMs ?? WAIT_MS;
  const startMs = Date.now();
  const pid = given === undefined ? await pidOf(file as string, limitMs) : pidIn(String(given));
  const leftMs = Math.max(0, limitMs - (Date.now() - startMs));
  return awaitStart({ ...call, timeoutMs: leftMs }, WAIT_MS, () => isAlive(pid));
}

/** The process that a file names, once it does. */
async function pidOf(file: string, limitMs: number): Promise<number> {
  const untilMs = Date.now() + limitMs;
  for (;;) {
    try {
      const text = readFileSync(file, 'utf8').trim();
      if (text !== '') return pidIn(text);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    if (Date.now() > untilMs) {
      throw new CtlError(EXIT_TIMEOUT, `operation timed out: there is no pid in ${file}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function pidIn(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new CtlError(EXIT_USAGE, `'${text.slice(0, 40)}' is no id of a process`);
}

/**
 * Only the process itself can end it: it is asked to by a signal, which works on its machine alone. The id that an API
 * says may be one of another machine, behind a tunnel, or of a container behind a published port. So it must be the
 * process that has the data folder at whose control socket the broker answers.
 */
async function stop({ api, timeoutMs }: CtlCall): Promise<string> {
  const folder = await api.controlFolder();
  if (folder === null) {
    throw new CtlError(
      EXIT_UNAVAILABLE,
      'a broker is stopped over its control socket, and there is none that this user may use, or a URL names another ' +
        `way: omit --url and LEVERET_URL, name its folder in LEVERET_DATA_DIR, or ${ELSE}`,
    );
  }
  const node = await nodeOf(new HttpApi(targetAt(folder)));
  const pid = pidIn(node.os_pid);
  const { processOn } = await import('../../boot/data-folder.ts');
  if ((await processOn(folder)) !== pid) {
    throw new CtlError(
      EXIT_UNAVAILABLE,
      `process ${pid} of this machine is not the broker on ${folder}, which may run in a container: ${ELSE}`,
    );
  }
  process.kill(pid, 'SIGTERM');
  const untilMs = Date.now() + (timeoutMs ?? STOP_MS);
  while (isAlive(pid)) {
    if (Date.now() > untilMs) {
      throw new CtlError(EXIT_TIMEOUT, `process ${pid} was asked to stop and still runs`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return `Stopped node ${node.name}, pid ${pid}\n`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
