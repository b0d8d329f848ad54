// Owns the rules of the house that a machine can keep: floors, circles, sizes and banned words.
// Never judges style that Biome or the compiler judges already.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const FILE_LINES = 400;
const FUNCTION_LINES = 70;
/** Sources in one folder. */
const FOLDER_FILES = 14;

/**
 * Which parts of src a folder (or file) of src may import besides itself: lower floors only. A folder
 * stands for all below it, `src/store/*` for the files right in it: the engines are behind the port.
 */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  'src/util/': [],
  'src/amqp/': ['src/util/'],
  'src/store/': ['src/util/'],
  'src/cluster/': ['src/util/', 'src/store/'],
  'src/message/': ['src/util/', 'src/amqp/', 'src/store/*'],
  'src/broker/': ['src/util/', 'src/amqp/', 'src/store/*', 'src/message/'],
  'src/server/': ['src/util/', 'src/amqp/', 'src/store/*', 'src/message/', 'src/broker/'],
  'src/management/': [
    'src/util/',
    'src/broker/view.ts',
    'src/broker/view/',
    'src/util/json/json.ts',
  ],
  'src/metrics/': [
    'src/util/',
    'src/broker/view.ts',
    'src/broker/view/',
    'src/broker/stats/counts.ts',
    'src/management/',
  ],
  'src/perf/': ['src/util/', 'src/amqp/'],
  'src/config/': ['src/util/'],
  'src/cli/': ['src/util/', 'src/config/', 'src/perf/', 'src/store/errors.ts', 'src/boot/'],
  'src/boot/': ['src/'],
  // The broker as a library: beside the command line, above all else.
  'src/embed/': ['src/'],
};

/**
 * The rooms of the two large floors, the highest first: a file imports from its own room and from those that stand
 * below it here. A room within a room counts as a part of it.
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  'src/broker/': [
    'view.ts',
    'view/',
    'directory/',
    'definitions/',
    'check/',
    'moving/',
    'broker.ts',
    'recovery/',
    'first-start.ts',
    'vhost/',
    'schedule/',
    'republish/',
    'routing/',
    'policy/',
    'exchange/',
    'access/',
    'core/',
    'set-aside/',
    'queue/',
    'stats/',
    'turn/',
    'vhost-place.ts',
    'errors.ts',
    'names-in-texts.ts',
  ],
  'src/server/': [
    'server.ts',
    'view/',
    'connection/',
    'turn/',
    'settings.ts',
    'listen/',
    'ports.ts',
    'methods/',
    'tls/',
    'log/',
    'channel/',
    'backpressure/',
    'wire/',
    'states.ts',
    'group-places.ts',
    'access-settings.ts',
  ],
};

/** Modules that only some places may import; `not` turns it round: everyone but these. */
const MODULES: readonly { module: RegExp; only?: readonly string[]; not?: readonly string[] }[] = [
  { module: /^lmdb$/, only: ['src/store/lmdb/'] },
  { module: /^@nats-io\//, only: ['src/store/replicated/nats/'] },
  { module: /^commander$/, only: ['src/cli/'] },
  { module: /^croner$/, only: ['src/broker/schedule/cron.ts'] },
  // folder.ts holds the lock of the store's folder, which is a socket.
  {
    module: /^node:(net|tls)$/,
    only: [
      'src/server/',
      'src/cluster/',
      'src/store/folder.ts',
      // Sees for itself why a server of NATS lets no connection be made.
      'src/store/replicated/nats/',
      'src/management/listen.ts',
      'src/management/http/',
      'src/cli/',
      'src/perf/',
      'src/boot/',
    ],
  },
  {
    module: /^node:(fs|fs\/promises|net|tls|http|https|dns|dgram|child_process|worker_threads)$/,
    not: ['src/amqp/', 'src/message/', 'src/broker/'],
  },
];

/** Files of a floor that only some places below and beside may import: the others know them by interfaces. */
const BEHIND_PORTS: readonly { file: string; only: readonly string[] }[] = [
  // Routes, exchanges, policies, the turn and the server see queues by ports.ts and consumer.ts, so that there can be
  // another class of them.
  {
    file: 'src/broker/queue/queue.ts',
    only: [
      'src/broker/queue/',
      'src/broker/vhost/',
      'src/broker/view/',
      'src/broker/republish/redrive.ts',
    ],
  },
];

/** Words that have a home, or none; `homes` are the places that may use them. */
const BANNED: readonly { rule: string; words: RegExp; within?: string[]; homes?: string[] }[] = [
  {
    rule: 'JSON keeps its digits: parseJsonText, parseAnswer or parseStoredJson reads it, and jsonText writes it',
    words: /\bJSON\.(parse|stringify)\b/,
    within: [
      'src/management/',
      'src/broker/definitions/',
      'src/broker/view/',
      'src/store/',
      'src/cli/',
    ],
    homes: ['src/management/ui/'],
  },
  { rule: 'logs go through the logger', words: /\bconsole\./, homes: ['src/cli/'] },
  { rule: 'no enums, but `as const` objects', words: /\benum\s+\w/ },
  { rule: 'no `any`', words: /(?::|<|\||\bas)\s*any\b/ },
  {
    rule: 'hot folders write into arenas and never concatenate',
    words: /\bBuffer\.concat\b/,
    within: ['src/amqp/', 'src/store/', 'src/message/', 'src/broker/', 'src/server/'],
  },
  {
    rule: 'time is read through a Clock',
    words: /\bDate\.now\b|\bperformance\.now\b|\bnew Date\(\)|\bhrtime\b/,
    homes: ['src/util/clock.ts', 'src/cli/', 'src/perf/'],
  },
  {
    rule: 'timeouts hang on the timer wheel',
    words: /\bset(?:Timeout|Interval)\b/,
    homes: ['src/util/timers.ts', 'src/util/system/runtime.ts', 'src/cli/', 'src/perf/'],
  },
];

/**
 * Breaches with a good reason. One that is not needed any more fails the test. Rules to name here:
 * `size`, `function size`, `import` (floors), `module` (packages), or the text of a banned word.
 */
const EXCEPTIONS: readonly { file: string; rule: string; why: string }[] = [
  {
    file: 'src/store/disk/watchdog.ts',
    rule: 'timeouts hang on the timer wheel',
    why: 'one timer for the whole store, whose owner has no wheel',
  },
  {
    file: 'src/store/log/applier.ts',
    rule: 'timeouts hang on the timer wheel',
    why: 'one timer for the whole store, whose owner has no wheel',
  },
  { file: 'src/config/setting.ts', rule: 'module', why: 'isIP of node:net is a pure function' },
  {
    file: 'src/amqp/property-walk.ts',
    rule: 'hot folders write into arenas and never concatenate',
    why: 'new headers for a dead letter: once per death, not per message',
  },
  {
    file: 'src/store/row.ts',
    rule: 'hot folders write into arenas and never concatenate',
    why: 'keys of definitions: once per declaration',
  },
  {
    file: 'src/store/replicated/record.ts',
    rule: 'hot folders write into arenas and never concatenate',
    why: 'what opens an epoch: once per leader',
  },
  {
    file: 'src/store/replicated/follower.ts',
    rule: 'hot folders write into arenas and never concatenate',
    why: 'a batch that came in several records, on a node that does not lead',
  },
  {
    file: 'src/message/chunk.ts',
    rule: 'hot folders write into arenas and never concatenate',
    why: 'a large message that no queue takes and its publisher wants back',
  },
  {
    file: 'src/message/log/segment.ts',
    rule: 'hot folders write into arenas and never concatenate',
    why: 'a large message that is dead-lettered',
  },
  {
    file: 'src/server/connection/preamble.ts',
    rule: 'hot folders write into arenas and never concatenate',
    why: 'the eight octets of the protocol header',
  },
  {
    file: 'src/server/listen/proxied-sockets.ts',
    rule: 'hot folders write into arenas and never concatenate',
    why: 'the line that tells of a client: once per connection that another node hands on',
  },
  {
    file: 'src/server/connection/hand-over.ts',
    rule: 'hot folders write into arenas and never concatenate',
    why: 'two frames of a handshake: once per connection that is given to another group',
  },
];

/** Subjects in comments that say nothing: it is a publisher, a consumer, a client, an operator, a user, a caller. */
const VAGUE_SUBJECT =
  /\b(?:nobody|somebody|whoever|anybody|everybody)\b|^\s*(?:\/\/|\/?\*+)\s*Who\b/i;

interface Source {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

interface Fault {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly what: string;
}

const fault = (file: string, line: number, rule: string, what: string): Fault => ({
  file,
  line,
  rule,
  what,
});

/** The text with comments, and strings too unless they are kept, turned into blanks. */
function blank(text: string, keepStrings: boolean): string {
  const parts =
    /\/\/.*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
  return text.replace(parts, (part) => {
    if (keepStrings && !part.startsWith('/')) return part;
    return part.replace(/[^\n]/g, ' ');
  });
}

const lineOf = (text: string, at: number): number => text.slice(0, at).split('\n').length;

interface Import {
  readonly module: string;
  readonly line: number;
}

/** Every module a source imports, statically or not. */
function imports(source: Source): Import[] {
  const code = blank(source.text, true);
  const statement = /(?:\b(?:import|export)\s+[^'";]*?\bfrom|\bimport\s*\(?)\s*['"]([^'"\n]+)['"]/g;
  return [...code.matchAll(statement)].map((m) => ({
    module: m[1] as string,
    line: lineOf(code, m.index + m[0].length),
  }));
}

/** The path of the file that a relative import means. */
const resolve = (from: string, module: string): string =>
  posix.normalize(posix.join(posix.dirname(from), module));

const isIn = (path: string, places: readonly string[] | undefined): boolean =>
  (places ?? []).some((place) => {
    if (place.endsWith('/*')) return posix.dirname(path) === place.slice(0, -2);
    return place.endsWith('/') ? path.startsWith(place) : path === place;
  });

function checkImports(source: Source): Fault[] {
  const floor = Object.keys(FLOORS).find((place) => isIn(source.path, [place]));
  if (floor === undefined) return [fault(source.path, 1, 'import', 'stands on no floor of FLOORS')];
  const faults: Fault[] = [];
  for (const { module, line } of imports(source)) {
    const say = (what: string) => faults.push(fault(source.path, line, 'import', what));
    if (module.startsWith('.')) {
      if (!module.endsWith('.ts')) say(`${module} does not end in .ts`);
      const target = resolve(source.path, module);
      const mayImport = isIn(target, [floor]) || isIn(target, FLOORS[floor]);
      if (!mayImport) say(`${floor} may not import ${target}`);
      const hidden = BEHIND_PORTS.find(({ file }) => file === target);
      if (hidden !== undefined && !isIn(source.path, hidden.only)) say(`${target} has a port`);
      continue;
    }
    for (const { module: pattern, only, not } of MODULES) {
      if (!pattern.test(module)) continue;
      if (only !== undefined && !isIn(source.path, only)) {
        faults.push(fault(source.path, line, 'module', `${module} is for ${only.join(', ')}`));
      } else if (isIn(source.path, not)) {
        faults.push(fault(source.path, line, 'module', `${module} is I/O, ${floor} does none`));
      }
    }
  }
  return faults;
}

/** The room of a file on a floor, as its number in the floor's order; -1: it stands in none. */
const roomOf = (floor: string, path: string): number =>
  (ROOMS[floor] as readonly string[]).findIndex((room) => isIn(path, [floor + room]));

function checkRooms(source: Source): Fault[] {
  const floor = Object.keys(ROOMS).find((place) => source.path.startsWith(place));
  if (floor === undefined) return [];
  const room = roomOf(floor, source.path);
  if (room < 0) return [fault(source.path, 1, 'room', 'stands in no room of ROOMS')];
  return imports(source).flatMap(({ module, line }) => {
    const target = module.startsWith('.') ? resolve(source.path, module) : '';
    if (!target.startsWith(floor) || roomOf(floor, target) >= room) return [];
    return [fault(source.path, line, 'room', `${target} stands in a higher room`)];
  });
}

function checkWords(source: Source): Fault[] {
  const faults: Fault[] = [];
  const code = blank(source.text, false).split('\n');
  for (const { rule, words, within, homes } of BANNED) {
    if (isIn(source.path, homes) || (within !== undefined && !isIn(source.path, within))) continue;
    for (const [i, line] of code.entries()) {
      const word = words.exec(line);
      if (word !== null) faults.push(fault(source.path, i + 1, rule, word[0]));
    }
  }
  for (const [i, line] of source.text.split('\n').entries()) {
    const mark = /\b(?:TODO|FIXME|XXX)\b/.exec(line);
    if (mark !== null) faults.push(fault(source.path, i + 1, 'no notes to self', mark[0]));
    const subject = VAGUE_SUBJECT.exec(line);
    if (subject !== null)
      faults.push(fault(source.path, i + 1, 'subjects have names', line.trim()));
  }
  return faults;
}

function checkSizes(source: Source): Fault[] {
  const faults: Fault[] = [];
  const lines = source.text.trimEnd().split('\n');
  if (!lines[0]?.startsWith('//')) {
    faults.push(fault(source.path, 1, 'opening', 'does not open with what it owns and never does'));
  }
  if (lines.length > FILE_LINES) {
    faults.push(fault(source.path, lines.length, 'size', `${lines.length} lines`));
  }
  for (const { line, length } of functions(lines)) {
    if (length <= FUNCTION_LINES) continue;
    faults.push(fault(source.path, line, 'function size', `${length} lines`));
  }
  return faults;
}

/** Functions at the left edge and methods of classes, read off the indentation Biome sees to. */
function functions(lines: readonly string[]): { line: number; length: number }[] {
  const head =
    /^(?:(?:export )?(?:async )?function\b|( {2})(?:(?!return )[a-z]+ )*\*?\w+(?:<.*>)?\()/;
  const found: { line: number; length: number }[] = [];
  for (const [start, line] of lines.entries()) {
    const match = head.exec(line);
    if (match === null) continue;
    const indent = match[1] ?? '';
    // A head too long for its line has its parameters on lines of their own.
    const isEnd = (l: string, i: number) => i > start && l.startsWith(`${indent})`);
    const opening = line.endsWith('(') ? lines.findIndex(isEnd) : start;
    if (!lines[opening]?.endsWith('{')) continue;
    const end = lines.findIndex((l, i) => i > opening && l.startsWith(`${indent}}`));
    found.push({ line: start + 1, length: end - start + 1 });
  }
  return found;
}

/** Circles of imports, those of types included, each as the path around it. */
function circles(sources: readonly Source[]): string[] {
  const graph = new Map(sources.map((s) => [s.path, imports(s)]));
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) found.push([...trail.slice(at), path].join(' -> '));
    if (at >= 0 || done.has(path)) return;
    for (const { module } of graph.get(path) ?? []) {
      if (module.startsWith('.')) walk(resolve(path, module), [...trail, path]);
    }
    done.add(path);
  };
  for (const path of graph.keys()) walk(path, []);
  return found;
}

const check = (source: Source): Fault[] => [
  ...checkImports(source),
  ...checkRooms(source),
  ...checkWords(source),
  ...checkSizes(source),
];

/** Every source under src, declarations included. */
function readSources(kind: RegExp = /\.ts$/): Source[] {
  if (!existsSync(join(ROOT, 'src'))) return [];
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => kind.test(name))
    .map((name) => posix.join('src', name.replaceAll('\\', '/')))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

const excused = (f: Fault): boolean =>
  EXCEPTIONS.some(({ file, rule }) => file === f.file && rule === f.rule);

test('every source keeps the rules of the house', () => {
  const faults = readSources()
    .flatMap(check)
    .filter((f) => !excused(f));
  expect(faults.map((f) => `${f.file}:${f.line}: ${f.rule}: ${f.what}`)).toEqual([]);
});

test('no folder has more sources than can be seen at a glance', () => {
  const counts = new Map<string, number>();
  // The pages of the web UI are JavaScript.
  for (const { path } of readSources(/\.[jt]s$/)) {
    const folder = posix.dirname(path);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  expect([...counts].filter(([, count]) => count > FOLDER_FILES)).toEqual([]);
});

test('no import leads round in a circle', () => {
  expect(circles(readSources())).toEqual([]);
});

test('every exception is still needed', () => {
  const faults = readSources().flatMap(check);
  const stale = EXCEPTIONS.filter(
    ({ file, rule }) => !faults.some((f) => f.file === file && f.rule === rule),
  );
  expect(stale).toEqual([]);
});

const OPENING = '// Owns nothing.\n';
const body = (lines: number, indent = '') => `${indent}  x();\n`.repeat(lines);

test.each([
  ['src/amqp/a.ts', "import { b } from '../broker/b.ts';", 'may not import src/broker/b.ts'],
  ['src/amqp/a.ts', "import type { B } from '../store/port.ts';", 'may not import'],
  ['src/message/a.ts', "import { b } from '../store/lmdb/b.ts';", 'may not import'],
  ['src/metrics/a.ts', "import { b } from '../broker/vhost.ts';", 'may not import'],
  ['src/server/server.ts', "import type { Queue } from '../broker/queue/queue.ts';", 'has a port'],
  ['src/server/wire/a.ts', "import type { B } from '../channel/b.ts';", 'a higher room'],
  ['src/broker/queue/types/a.ts', "import { b } from '../../core/b.ts';", 'a higher room'],
  ['src/server/new/a.ts', '', 'stands in no room'],
  ['src/amqp/a.ts', "import { b } from './b.js';", 'does not end in .ts'],
  ['src/amqp/a.ts', "const b = await import('./b');", 'does not end in .ts'],
  ['src/store/memory/a.ts', "import { open } from 'lmdb';", 'is for src/store/lmdb/'],
  ['src/broker/view.ts', "import {\n  readFile,\n} from 'node:fs/promises';", 'is I/O'],
  ['src/management/a.ts', "import { connect } from 'node:net';", 'is for src/server/'],
  ['src/server/server.ts', "console.log('x');", 'the logger'],
  ['src/server/server.ts', 'export enum Kind {}', 'no enums'],
  ['src/server/server.ts', 'const a = b as any;', 'no `any`'],
  ['src/server/server.ts', 'const a: any = b;', 'no `any`'],
  ['src/server/server.ts', 'const a = Buffer.concat(b);', 'never concatenate'],
  ['src/server/server.ts', 'const a = Date.now();', 'a Clock'],
  ['src/server/server.ts', 'setTimeout(a, 1);', 'the timer wheel'],
  ['src/server/server.ts', '// TODO later', 'no notes to self'],
  ['src/server/server.ts', '// Whoever waits goes on.', 'subjects have names'],
  ['src/server/server.ts', '/** Who asks twice is told twice. */', 'subjects have names'],
  ['src/server/server.ts', body(400), '401 lines'],
  ['src/server/server.ts', `export function a(): void {\n${body(70)}}`, '72 lines'],
  [
    'src/server/server.ts',
    `class A {\n  private b(\n    c: D,\n  ): E {\n${body(70, '  ')}  }\n}`,
    '74 l',
  ],
])('the rules see a breach in %s: %s', (path, text, expected) => {
  const faults = check({ path, text: `${OPENING}${text}` });
  expect(faults.map((f) => `${f.rule}: ${f.what}`).join()).toContain(expected);
  expect(faults).toHaveLength(1);
});

test.each([
  ['src/broker/view.ts', "import { b } from '../util/b.ts';\nimport { c } from './queue/c.ts';"],
  ['src/message/a.ts', "import type { B } from '../store/port.ts';"],
  [
    'src/broker/view.ts',
    `interface A {\n  b(c: D): E;\n}\nfunction f(): void {\n${body(60)}}\n${body(60)}`,
  ],
  ['src/broker/queue/a.ts', "import type { B } from './types/b.ts';\nimport '../turn/c.ts';"],
  ['src/boot/start.ts', "import { b } from './store/lmdb/b.ts';\nimport { c } from 'node:net';"],
  [
    'src/server/server.ts',
    "// console.log and Date.now are for others\nconst a = 'enum any: any';",
  ],
  ['src/server/server.ts', '/** Never calls\n * setTimeout(). */\nconst company: Any = many;'],
  ['src/util/clock.ts', 'export const now = () => Date.now();'],
  ['src/server/server.ts', `  call(\n    a,\n  );\n${body(80)}if (a) {\n}`],
])('the rules see no breach in %s: %s', (path, text) => {
  expect(check({ path, text: `${OPENING}${text}` })).toEqual([]);
});

test('the rules see a missing opening and a circle of three', () => {
  expect(check({ path: 'src/util/a.ts', text: 'x();' })).toHaveLength(1);
  const link = (from: string, to: string) => ({
    path: `src/util/${from}.ts`,
    text: `import type { T } from './${to}.ts';`,
  });
  expect(circles([link('a', 'b'), link('b', 'c'), link('c', 'a')])).toEqual([
    'src/util/a.ts -> src/util/b.ts -> src/util/c.ts -> src/util/a.ts',
  ]);
});
