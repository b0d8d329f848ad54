// Owns what the errors of the system mean to an operator: their codes, and the way out of each. Never decides
// what fails because of them.

import { getSystemErrorMap } from 'node:util';

const OPEN_FILES =
  'raise the limit of open files of this process (ulimit -n, LimitNOFILE of systemd), 1024 at least';

const WAYS_OUT: Readonly<Record<string, string>> = {
  EACCES: 'give this user the right to read and write there',
  EPERM: 'give this user the right to read and write there',
  EROFS: 'the file system there is read-only: mount it so that it can be written',
  ENOSPC: 'make room on that disk',
  EDQUOT: 'give this user a larger quota on that disk, or make room',
  EFBIG: 'raise the limit of the size of files (ulimit -f), or use a file system with larger ones',
  EMFILE: OPEN_FILES,
  ENFILE: 'raise the limit of open files of this machine (fs.file-max), or stop other programs',
  ENOMEM: 'give the machine, its container or this process (ulimit -v) more memory',
  EIO: 'look at the disk, which fails',
  ELOOP: 'correct the symbolic links of that path, which lead in a circle',
  ENAMETOOLONG: 'name a shorter path',
  EISDIR: 'name a file: a folder is there',
  ENOTDIR: 'name another path: a part of it is a file',
};

/** What loads native modules tells of a lack of open files in its text alone. */
const TOLD = /\b(EMFILE|ENFILE): /;

/** The code of an error of the system, such as ENOSPC; '' when it is none. LMDB gives numbers. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if (!('code' in error)) return TOLD.exec(error.message)?.[1] ?? '';
  const { code } = error;
  if (typeof code === 'string') return /^E[A-Z0-9]+$/.test(code) ? code : '';
  return typeof code === 'number' ? (getSystemErrorMap().get(-code)?.[0] ?? '') : '';
}

/** What an operator can do about an error of the system; null: no more than its text says. */
export function wayOutOf(error: unknown): string | null {
  return WAYS_OUT[systemCode(error)] ?? null;
}
