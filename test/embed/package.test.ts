// Packs the package as it would be published, and uses it from a TypeScript project beside it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** Every name of the package, and calls that must not compile. */
const CONSUMER = `
import { startBroker } from 'leveret';
import type { BrokerClock, BrokerFaults, BrokerOptions, BrokerUser, ConnectionMatch } from 'leveret';
import type { EmbeddedBroker, Fault, IdleOptions } from 'leveret';

const user: BrokerUser = { name: 'app', password: 'secret' };
const options: BrokerOptions = { memory: true, users: [user], settings: { heartbeat: 5 } };
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
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'main.ts'), CONSUMER);
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

const STRICT = ['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false'];
const COMPILE = [TSC, ...STRICT, '--target', 'es2022', '--types', 'node', 'main.ts'];

describe('the package', () => {
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
