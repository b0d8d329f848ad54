import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeFailure } from '../../src/cli/failure.ts';
import { ConfigError, ConfigErrors } from '../../src/config/config-error.ts';
import { readConfig } from '../../src/config/load.ts';
import { defaultSettings } from '../../src/config/settings.ts';
import { FailedCommitError, StoreError } from '../../src/store/errors.ts';
import { UserError } from '../../src/util/user-error.ts';

const settings = { ...defaultSettings(), dataDir: '/var/lib/leveret' };

function systemError(fields: object): Error {
  return Object.assign(new Error('failed'), fields);
}

/** Listens, and resolves with the error when that fails. */
function listen(server: Server, host: string, port: number): Promise<unknown> {
  return new Promise((resolve) => {
    server.once('error', resolve);
    server.listen(port, host, () => resolve(null));
  });
}

test('a wrong setting and a store that cannot be opened explain themselves', () => {
  expect(describeFailure(new ConfigError('a.conf:1: x', 'is wrong', 'mend it'), null)).toBe(
    'a.conf:1: x: is wrong; mend it',
  );
  const wrong = ['a.conf:1: x', 'b.conf:2: y'].map(
    (at) => new ConfigError(at, 'is wrong', 'mend it'),
  );
  expect(describeFailure(new ConfigErrors('settings', wrong), null)).toBe(
    'a.conf:1: x: is wrong; mend it\nb.conf:2: y: is wrong; mend it',
  );
  expect(describeFailure(new StoreError('the folder is in use', 'stop the other'), settings)).toBe(
    'the folder is in use: stop the other',
  );
});

test('a hint that the message lacks is added, on one line', () => {
  const error = new UserError('it\n  broke', { hint: 'mend it' });
  expect(describeFailure(error, settings)).toBe('it broke: mend it');
});

test('a port that is taken names the port and the flag', async () => {
  const first = createServer();
  await listen(first, '127.0.0.1', 0);
  const { port } = first.address() as { port: number };
  const error = await listen(createServer(), '127.0.0.1', port);
  first.close();
  expect(
    describeFailure(error, {
      ...settings,
      tcpListeners: new Map([['default', { host: '127.0.0.1', port }]]),
    }),
  ).toBe(
    `port ${port} on 127.0.0.1 is taken by another program: ` +
      'stop that program, or choose another port with --port',
  );
});

test('a port of a tool that is taken names the key of the tool', () => {
  const error = Object.assign(new Error('listen EADDRINUSE'), {
    code: 'EADDRINUSE',
    syscall: 'listen',
    address: '::',
    port: 15673,
  });
  expect(describeFailure(error, { ...settings, managementPort: 15673 })).toContain(
    'choose another port with management.tcp.port',
  );
});

test('a port that is taken names the file or the variable that it comes from, but no flag', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'leveret-failure-'));
  const file = join(folder, 'a.conf');
  writeFileSync(file, 'listeners.tcp.default = 0.0.0.0:5673\nheartbeat = 7777\n');
  const config = await readConfig({
    configGlobs: [file],
    env: { LEVERET_MANAGEMENT_TCP_PORT: '15673' },
    flags: { '--prometheus-port': '7777' },
  });
  rmSync(folder, { recursive: true });
  const taken = (port: number): string =>
    describeFailure(
      systemError({ code: 'EADDRINUSE', syscall: 'listen', address: '::', port }),
      config.settings,
      config.told,
    );
  expect(taken(5673)).toContain(`with --port; 5673 comes from ${file}:1`);
  expect(taken(15673)).toContain('; 15673 comes from environment LEVERET_MANAGEMENT_TCP_PORT');
  expect(taken(7777)).not.toContain('comes from');
});

test('an address that the machine lacks names the address and the flag', async () => {
  const host = '192.0.2.1';
  const error = await listen(createServer(), host, 0);
  expect(describeFailure(error, settings)).toBe(
    `this machine has no address ${host}: choose one that it has with --host`,
  );
});

test('a port of a listener without a flag names its key', () => {
  const own = {
    ...settings,
    tcpListeners: new Map([['local', { host: '127.0.0.1', port: 5673 }]]),
    sslListeners: new Map([['default', { host: '127.0.0.1', port: 5671 }]]),
  };
  const taken = (port: number): string =>
    describeFailure(
      systemError({ code: 'EADDRINUSE', syscall: 'listen', address: '127.0.0.1', port }),
      own,
    );
  expect(taken(5673)).toContain('choose another port with listeners.tcp.local');
  expect(taken(5671)).toContain('choose another port with listeners.ssl.default');
});

test('a data folder that is a file names it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'leveret-failure-'));
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const error: unknown = await mkdir(join(file, 'data'), { recursive: true }).catch((e) => e);
  rmSync(folder, { recursive: true });
  expect(describeFailure(error, settings)).toContain('/var/lib/leveret is not a folder: remove');
});

test.each([
  [
    { code: 'EACCES', syscall: 'listen', address: '127.0.0.1', port: 5672 },
    'this user may not listen on port 5672: choose a port from 1024 on with --port',
  ],
  [
    { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: '127.0.0.1' },
    'the host name 127.0.0.1 is not known here',
  ],
  [
    { code: 'EACCES', syscall: 'mkdir', path: '/var/lib/leveret' },
    'the data folder /var/lib/leveret cannot be written (EACCES at /var/lib/leveret): give',
  ],
  [{ code: 'EROFS', syscall: 'open', path: '/x' }, 'cannot be written (EROFS at /x)'],
  [{ code: 'ENOSPC', syscall: 'write', path: '/x' }, 'the disk of the data folder'],
])('the error of the system %j is explained on one line', (fields, line) => {
  const described = describeFailure(systemError(fields), settings);
  expect(described).toContain(line);
  expect(described).not.toContain('\n');
});

test('what nobody foresaw keeps its stack', () => {
  expect(describeFailure(new TypeError('oops'), settings)).toMatch(/^TypeError: oops\n {4}at /);
});

test('what the system refuses is one line with a way out, whatever it was for', () => {
  for (const code of [
    'EMFILE',
    'ENFILE',
    'ENOMEM',
    'EIO',
    'EROFS',
    'ENOSPC',
    'ELOOP',
    'EISDIR',
    28,
  ]) {
    expect(describeFailure(systemError({ code, syscall: 'open' }), null)).toMatch(
      /^failed: [^\n]+$/,
    );
  }
  expect(describeFailure(systemError({ code: 'ECONNRESET' }), settings)).toBe('failed');
  expect(describeFailure(new TypeError('a bug of ours'), settings)).toContain('\n    at ');
});

test('a commit that failed is one line, and names a full disk also where LMDB says EIO', () => {
  const cause = Object.assign(new Error('Input/output error'), { code: 5 });
  const full = describeFailure(new FailedCommitError(cause, 4096), settings);
  expect(full).toBe(
    'a commit has failed: Input/output error, with 4096 bytes free on its disk: make room on that disk',
  );
  const broken = describeFailure(new FailedCommitError(cause, 1e9), settings);
  expect(broken).toMatch(/1000000000 bytes free on its disk: look at the disk, which fails$/);
});
