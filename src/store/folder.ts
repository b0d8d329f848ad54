// Owns the data folder: that it is there, can be written, and is used by one broker at a time.
// Never knows what lies in it.

import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { LongPathError, withShortPath } from '../util/system/socket-path.ts';
import { wayOutOf } from '../util/system/system-error.ts';
import { syncFolder } from './disk/sync-folder.ts';
import { causeText, FolderInUseError, ForeignFolderError, StoreError } from './errors.ts';

/** A data folder that belongs to this process until it is released or the process ends. */
export interface DataFolder {
  /** The absolute path. */
  readonly path: string;
  /** What the operator should know of it: others own it, or may read or change what lies in it. */
  readonly warnings: readonly string[];
  /** Lets the next broker have the folder. */
  release(): Promise<void>;
}

const LOCK_FOLDER = 'lock';
/** No broker starts so often; a higher number would not be found again. */
const LOCK_NUMBER_MAX = 999_999_999_999_999;
/** How long to wait for the holder to name itself, if its event loop is busy. */
const ANSWER_PATIENCE_MS = 500;
/** File systems shared between hosts, by the magic number of statfs: NFS, SMB, SMB2 and CIFS. */
const NETWORK_FILE_SYSTEMS: ReadonlySet<number> = new Set([0x6969, 0x517b, 0xfe534d42, 0xff534d42]);

/** Makes the folder when it is not there, checks that it can be written, and locks it. */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const absolute = resolve(path);
  const locks = join(absolute, LOCK_FOLDER);
  try {
    await makeFolder(absolute);
    await makeFolder(locks);
    await refuseNetworkFileSystem(absolute);
    const lock = new FolderLock(absolute, locks);
    await lock.acquire();
    const warnings = await warningsOf(absolute);
    return { path: absolute, warnings, release: () => lock.release() };
  } catch (cause) {
    throw cause instanceof StoreError ? cause : unusable(absolute, cause);
  }
}

/**
 * The id of the process that has the lock of a data folder, as this machine counts its processes. Null: none has it, or
 * it runs in a container, where the same id means another process.
 */
export async function holderOf(path: string): Promise<number | null> {
  const locks = join(path, LOCK_FOLDER);
  try {
    const highest = Math.max(0, ...(await numbersIn(locks)));
    const said = await withShortPath(locks, String(highest), askHolder);
    const pid = Number(/^process (\d+)$/.exec(said ?? '')?.[1] ?? 0);
    return pid > 0 && (await hasOpen(pid, path)) ? pid : null;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return null;
  }
}

/** Whether a process has a file of the folder open. Where the system does not show that, it has no such containers. */
async function hasOpen(pid: number, path: string): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const inside = await readdir(path, { recursive: true });
  const files = new Set(await Promise.all(inside.map((name) => fileAt(join(path, name)))));
  files.delete(null);
  const opened = `/proc/${pid}/fd`;
  for (const name of await readdir(opened)) {
    if (files.has(await fileAt(join(opened, name)))) return true;
  }
  return false;
}

/** What tells a file from all others of this machine; null for what is none, or has gone. */
async function fileAt(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() === true ? `${found.dev} ${found.ino}` : null;
}

/**
 * Makes a folder and those above it that are not there. Not by mkdir's own way of doing so, which
 * never ends below /proc.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path || (await exists(dirname(path)))) throw error;
    await makeFolder(dirname(path));
    await makeFolder(path);
    return;
  }
  await syncFolder(dirname(path));
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Refuses a folder whose data other users own, to be asked before a tool opens it: each lock and file that the tool
 * leaves there would keep the owner's broker out. A folder of a group, without data as yet, is refused to root alone.
 * Rejects with a ForeignFolderError.
 */
export async function refuseForeignFolder(path: string): Promise<void> {
  const user = process.geteuid?.();
  if (user === undefined) return;
  const absolute = resolve(path);
  const data = await ownerOf(join(absolute, 'store', 'data.mdb'));
  const owner = data ?? (user === 0 ? await ownerOf(absolute) : null);
  if (owner !== null && owner !== user) throw new ForeignFolderError(absolute, owner, user);
}

/** The id of the user that owns a file; null where it is not there or cannot be seen. */
function ownerOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ uid }) => uid,
    () => null,
  );
}

/** What is wrong with the rights of a folder; it is used all the same. */
async function warningsOf(path: string): Promise<string[]> {
  const user = process.getuid?.();
  if (user === undefined) return [];
  const { mode, uid } = await stat(path);
  const warnings: string[] = [];
  if (uid !== user) {
    warnings.push(
      `the data folder ${path} belongs to the user with id ${uid}, and the broker runs as ${user}: ` +
        `give it to the broker with 'chown -R ${user} ${path}'`,
    );
  }
  if ((mode & 0o077) !== 0) {
    const rights = (mode & 0o777).toString(8);
    warnings.push(
      `other users may look into the data folder ${path} (mode ${rights}), where messages and ` +
        `passwords lie: close it with 'chmod 700 ${path}'`,
    );
  }
  return warnings;
}

async function refuseNetworkFileSystem(path: string): Promise<void> {
  const { type } = await statfs(path);
  if (!NETWORK_FILE_SYSTEMS.has(type)) return;
  throw new StoreError(
    `the data folder ${path} is on a network file system, which gives no safe locks`,
    'put it on a disk of this machine',
  );
}

function unusable(path: string, cause: unknown): StoreError {
  if (cause instanceof LongPathError) return new StoreError(cause.message, 'name a shorter one');
  const what = `cannot use the data folder ${path}`;
  const options = { cause };
  switch (errorCode(cause)) {
    case 'EACCES':
    case 'EPERM': {
      const user = process.getuid?.() ?? 'this user';
      const hint = `give the user with id ${user} the right to write there, or name another folder`;
      return new StoreError(`${what}: permission denied`, hint, options);
    }
    case 'ENOTDIR':
    case 'EEXIST':
      return new StoreError(`${what}: a file is in its place`, 'name another folder', options);
    case 'EROFS':
      return new StoreError(`${what}: read-only file system`, 'name another folder', options);
    case 'ENOSPC':
    case 'EDQUOT':
      return new StoreError(`${what}: the disk is full`, 'make room on it', options);
    default:
      return new StoreError(
        `${what}: ${causeText(cause)}`,
        wayOutOf(cause) ?? 'fix this, or name another folder',
        options,
      );
  }
}

/*
 * The lock is a listening unix socket: the kernel ends it with the process, however that ends, and
 * it is seen by every container that mounts the folder. A file left behind answers no connection,
 * but must not simply be replaced: two brokers could both find it dead, and the second would remove
 * the fresh lock of the first. So locks are numbered, and a number is never used again:
 *
 *   lock/41   dead: nothing answers        1. listen under a name of our own
 *   lock/42   dead                         2. the highest lock answers -> refused
 *   lock/43 <- ours, by link(2), which     3. link ours as the next number; taken -> back to 2
 *             fails when it is there       4. a higher one is there -> drop ours, back to 2
 *                                          5. it is ours; remove the lower ones
 *
 * The highest file stays when its broker ends. While a lock is alive, no broker can get past step 2 with
 * a higher number. A broker that was slow and linked a lower number sees the higher one in step 4.
 */
class FolderLock {
  private readonly path: string;
  private readonly locks: string;
  private readonly server: Server;

  constructor(path: string, locks: string) {
    this.path = path;
    this.locks = locks;
    this.server = createServer(sayPid);
    this.server.unref();
  }

  async acquire(): Promise<void> {
    const own = `new-${randomUUID()}`;
    await withShortPath(this.locks, own, (path) => listen(this.server, path));
    try {
      await this.takeNumber(join(this.locks, own));
    } catch (error) {
      await this.release();
      throw error;
    } finally {
      await rm(join(this.locks, own), { force: true });
    }
  }

  release(): Promise<void> {
    return new Promise((done) => this.server.close(() => done()));
  }

  private async takeNumber(own: string): Promise<void> {
    for (;;) {
      const highest = Math.max(0, ...(await numbersIn(this.locks)));
      if (highest > 0) await this.refuseAlive(highest);
      if (highest >= LOCK_NUMBER_MAX) {
        const what = `${join(this.locks, String(highest))} is no lock of a broker, and none can follow it`;
        throw new StoreError(what, 'remove it');
      }
      const number = highest + 1;
      const lock = join(this.locks, String(number));
      if (!(await linked(own, lock))) continue;
      const numbers = await numbersIn(this.locks);
      if (Math.max(...numbers) === number) {
        const lower = numbers.filter((other) => other < number);
        await Promise.all(
          lower.map((other) => rm(join(this.locks, String(other)), { force: true })),
        );
        return;
      }
      await rm(lock, { force: true });
    }
  }

  private async refuseAlive(number: number): Promise<void> {
    const holder = await withShortPath(this.locks, String(number), askHolder);
    if (holder === null) return;
    throw new FolderInUseError(this.path, holder);
  }
}

async function numbersIn(locks: string): Promise<number[]> {
  const names = await readdir(locks);
  return names.filter((name) => /^\d{1,15}$/.test(name)).map(Number);
}

function sayPid(asking: Socket): void {
  asking.on('error', () => asking.destroy());
  asking.end(`${process.pid}\n`);
  asking.unref();
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(path, () => {
      server.off('error', failed);
      done();
    });
  });
}

/** The process that listens, by its id if it says so, else an empty text; null when none listens. */
function askHolder(path: string): Promise<string | null> {
  return new Promise((answer) => {
    let said = '';
    const socket = createConnection({ path, signal: AbortSignal.timeout(ANSWER_PATIENCE_MS) });
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      said += text;
    });
    socket.on('close', () => answer(/^\d+\n$/.test(said) ? `process ${said.trim()}` : ''));
    socket.on('error', (error) => {
      // Any other error, such as a full backlog, means that a process listens there.
      const code = errorCode(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') answer(null);
    });
  });
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
