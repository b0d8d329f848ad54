// A control socket that cannot be given its mode: nothing goes on listening there.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../../src/util/clock.ts';
import { Guard } from '../../../src/util/guard.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, chmod: vi.fn(real.chmod) };
});

test('a socket whose mode cannot be set is closed, and an error of the system meanwhile is told', async () => {
  // Another file of this worker may have loaded it, with the real module below.
  vi.resetModules();
  const { openControlSocket } = await import('../../../src/management/http/control-socket.ts');
  const { chmod } = await import('node:fs/promises');
  const folder = mkdtempSync(join(tmpdir(), 'leveret-control-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const listened = vi.spyOn(Server.prototype, 'listen');
  onTestFinished(() => listened.mockRestore());
  const failures: string[] = [];
  vi.mocked(chmod)
    .mockResolvedValueOnce()
    .mockImplementationOnce(async () => {
      (listened.mock.contexts[0] as Server).emit('error', new Error('no descriptor is free'));
      throw new Error('read-only file system');
    });
  const opened = openControlSocket(
    folder,
    new Guard(pino({ level: 'silent' }), systemClock, () => true),
    () => expect.unreachable(),
    ({ message }) => failures.push(message),
  );
  await expect(opened).rejects.toThrow('read-only file system');
  expect(failures).toEqual(['no descriptor is free']);
  const socket = connect(join(folder, 'control', 'socket'));
  const refusal = await new Promise<NodeJS.ErrnoException>((resolve) =>
    socket.once('error', resolve),
  );
  expect(refusal.code).toBe('ENOENT');
});
