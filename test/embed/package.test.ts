// Packs the package as it would be published, and uses it from a TypeScript project beside it.
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** Every name of the package, and calls that must not compile. */
const CONSUMER = `
import { startBroker } from 'leveret';
import type { BrokerClock, BrokerFaults, BrokerOptions, BrokerUser, ConnectionMatch } from 'leveret';
import type { EmbeddedBroker, Fault, IdleOptions } from 'leveret';
import type { BrokerMessage, BrokerQueue, DepthMatch, MessagesOptions, QueueOptions, WaitOptions } from 'leveret';

const user: BrokerUser = { name: 'app', password: 'secret' };
const definitions = { queues: [{ name: 'jobs', vhost: '/', durable: true, arguments: {} }] };
const options: BrokerOptions = { memory: true, users: [user], definitions, settings: { heartbeat: 5 } };
const broker: EmbeddedBroker = await startBroker(options);
const clock: BrokerClock = broker.clock;
await clock.advance(1000);
const faults: BrokerFaults = broker.faults;
const fault: Fault = faults.dropNextAck({ queue: 'jobs' });
fault.cancel();
const match: ConnectionMatch = { user: 'app' };
const closed: number = faults.closeConnections(match);
const idle: IdleOptions = { queues: ['jobs'], timeoutMs: 100 };
await broker.idle(idle);
const place: QueueOptions = { vhost: '/' };
const wait: WaitOptions = { timeoutMs: 1 };
const first: MessagesOptions = { limit: 1 };
const depth: DepthMatch = { ready: 0 };
const look = async (): Promise<readonly BrokerMessage[]> => {
  const queue: BrokerQueue = broker.queue('jobs', place);
  await queue.waitForDepth(depth, wait);
  await clock.advanceUntilIdle(1000, idle);
  return queue.messages(first);
};
void look;
const url: string = broker.url;
const dispose: () => Promise<void> = () => broker[Symbol.asyncDispose]();
const management: string | null = broker.managementUrl;
await broker.close();
await dispose();
console.log(url, management, closed);
// @ts-expect-error an option that is not there
await startBroker({ memroy: true }).then((one) => one.close(), () => {});
// @ts-expect-error what a broker gives cannot be set
broker.url = '';
`;

/** What packages try to load and do without: each in a `try`, or for an encoding that we do not use. */
const DONE_WITHOUT = ['bufferutil', 'cbor-x', 'msgpackr-extract', 'utf-8-validate'];

const BINARY = `@lmdb/lmdb-${process.platform}-${process.arch}`;

let project = '';

function run(command: string, args: readonly string[], cwd = project): string {
  const ended = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 240_000 });
  const said = `${ended.stdout}${ended.stderr}`;
  if (ended.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${said}`);
  return said;
}

/** A folder of modules with the packed package, and what it depends on as it is here. */
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'leveret-package-'));
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', project];
  const archive = run('npm', args, ROOT).trim();
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, 'leveret'), { recursive: true });
  run('tar', ['-xzf', archive, '-C', join(modules, 'leveret'), '--strip-components=1']);
  // All that npm would add on this machine: the package brings everything else along.
  mkdirSync(join(modules, '@lmdb'));
  symlinkSync(join(ROOT, 'node_modules', BINARY), join(modules, BINARY));
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'main.ts'), CONSUMER);
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

/** What a file of JavaScript or types loads: by `import` in any form, by `require` under any name. */
function importsOf(file: string): string[] {
  const found: string[] = [];
  const lang = file.endsWith('.d.ts') ? 'dts' : 'js';
  look(parseAst(readFileSync(file, 'utf8'), { lang }));
  return found;

  function look(node: unknown): void {
    if (typeof node !== 'object' || node === null) return;
    const name = nameIn(node as Record<string, unknown>);
    if (name !== null) found.push(name);
    for (const child of Object.values(node)) look(child);
  }
}

/** The module that this part of a program loads; null for any other part. */
function nameIn(node: Record<string, unknown>): string | null {
  const [argument] = (node['arguments'] ?? []) as { value?: unknown }[];
  const callee = (node['callee'] ?? {}) as { name?: string; callee?: unknown };
  // `require('x')` under whichever name, and `createRequire(...)('x')`.
  const maker = callee.callee === undefined ? '' : JSON.stringify(callee.callee);
  const required = /require/i.test(callee.name ?? '') || /require/i.test(maker);
  const source = required ? argument : (node['source'] as { value?: unknown } | null);
  return typeof source?.value === 'string' ? source.value : null;
}

/** The files of types that one of them leads to. */
function typesFrom(root: string, file: string, found: string[] = []): string[] {
  if (found.includes(file)) return found;
  found.push(file);
  for (const name of importsOf(join(root, file))) {
    expect(name, `an import of ${file}`).toMatch(/^\./);
    typesFrom(root, join(dirname(file), name.replace(/\.[jt]s$/, '.d.ts')), found);
  }
  return found;
}

/** Files that pages of the package lead to: for those that run it without the Debian package or the image. */
const SERVED_FILES = [
  'packaging/docker/compose.yaml',
  'packaging/kubernetes/leveret.yaml',
  'packaging/systemd/leveret.service',
];

const STRICT = ['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false'];
const COMPILE = [TSC, ...STRICT, '--target', 'es2022', '--types', '', 'main.ts'];

const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, object>;

describe('the package', () => {
  test('holds what it needs and nothing else', () => {
    const root = join(project, 'node_modules/leveret');
    const files = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((each) => each.isFile())
      .map((each) => relative(root, join(each.parentPath, each.name)));
    const strangers = files.filter(
      (file) =>
        /\.(map|png|ts)$|^(src(?!\/management\/ui)|test|packaging)\b/.test(file) &&
        !/\.d\.ts$/.test(file),
    );
    expect(strangers.sort()).toEqual(SERVED_FILES);
    const types = files.filter((file) => file.endsWith('.d.ts'));
    expect(types.sort()).toEqual(typesFrom(root, 'dist/embed/start-broker.d.ts').sort());
    expect(files).toContain('dist/bundle/LICENSES.txt');
  });

  test('has decided on each install script below it, by the name alone, which npm can match', () => {
    const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: true; optional?: true; os?: string[] }>;
    };
    const asked = Object.entries(lock.packages)
      .filter(([path, each]) => path !== '' && each.hasInstallScript && each.os === undefined)
      .map(([path]) => path.split('node_modules/').at(-1));
    expect(Object.keys(manifestOf(ROOT)['allowScripts'] ?? {}).sort()).toEqual(asked.sort());
  });

  test('has the licenses of all that it brings, and of the C code in the binaries of LMDB', () => {
    const file = join(project, 'node_modules/leveret/dist/bundle/LICENSES.txt');
    const text = readFileSync(file, 'utf8');
    const each = text.split(/^(?=\S+ \d+\.\S+\n-{40}\n)/m);
    expect(each.length).toBeGreaterThan(40);
    for (const license of each) {
      expect(license).toMatch(/copyright/i);
      expect(license).toMatch(/as is|warranties/i);
    }
    expect(text).toContain('The OpenLDAP Public License');
    expect(text).toContain('Howard Chu, Symas Corp.');
    expect(text).toMatch(/LZ4 Library\s+Copyright/);
  });

  test('loads nothing from a package but the binaries of LMDB', () => {
    const bundle = join(project, 'node_modules/leveret/dist/bundle');
    const loaded = readdirSync(bundle)
      .filter((file) => file.endsWith('.js'))
      .flatMap((file) => importsOf(join(bundle, file)))
      .filter((name) => !/^\.|^node:/.test(name) && !isBuiltin(name));
    expect([...new Set(loaded)].sort()).toEqual(DONE_WITHOUT);
    const lmdb = manifestOf(join(ROOT, 'node_modules/lmdb'));
    expect(manifestOf(ROOT)['optionalDependencies']).toEqual(lmdb['optionalDependencies']);
    expect(manifestOf(ROOT)).not.toHaveProperty('dependencies');
  });

  test('has types that compile strictly, and do what they say', () => {
    run(process.execPath, [...COMPILE, '--module', 'nodenext']);
    expect(run(process.execPath, ['main.js'])).toMatch(
      /^amqp:\/\/app:secret@127\.0\.0\.1:\d+ null 0\n/,
    );
  });

  test('has types for those who bundle', () => {
    const bundled = ['--module', 'esnext', '--moduleResolution', 'bundler', '--noEmit'];
    run(process.execPath, [...COMPILE, ...bundled]);
  });

  test('gives nothing away but its entry', () => {
    const deep = "await import('leveret/dist/main.js')";
    expect(() => run(process.execPath, ['--input-type=module', '--eval', deep])).toThrow(
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
    );
  });

  test('has its command', () => {
    const command = join(project, 'node_modules/leveret/bin/leveret');
    expect(run(process.execPath, [command, '--version'])).toMatch(/^\d+\.\d+\.\d+/);
  });
});
