// Owns the version of this package, as npm knows it. Never knows the versions of protocols or files.

import { readFileSync } from 'node:fs';

/** The version in package.json, which lies two folders above this file in `src` and `dist` alike. */
export function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
