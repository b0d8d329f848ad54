// The clients: what Debian calls their packages, which version that is, and how their program runs.
import { fileURLToPath } from 'node:url';
import { packageVersion } from './packages.mjs';

const folderOf = (name) => fileURLToPath(new URL(name, import.meta.url));

/** One out of Debian's packages: the first is the library. */
const debian = (folder, packages, command) => ({
  folder: folderOf(folder),
  packages,
  version: () => packageVersion(packages[0]),
  command,
});

export const CLIENTS = {
  pika: debian('pika', ['python3-pika'], ['/usr/bin/python3', 'main.py']),
};
