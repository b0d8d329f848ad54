// Owns builds that are broken on purpose: each puts a fault back that odd messages or requests once led to,
// and names the fuzzers that have to find it. Never runs one.
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @type {{ name: string, fuzzers: string[], changes: { file: string, from: string | RegExp, to: string }[] }[]} */
export const MUTANTS = [
  {
    name: 'the count of a death is taken for an integer',
    fuzzers: ['messages'],
    changes: [
      {
        file: 'broker/republish/deaths.js',
        from: "BigInt(integerOf(death.get('count')) ?? 0)",
        to: "BigInt(Number(death.get('count')?.value ?? 0))",
      },
    ],
  },
  {
    name: 'keys and names of any length come in, and are written as they are',
    fuzzers: ['messages'],
    changes: [
      { file: 'util/limits.js', from: /return text\.length \* 3 <= .*;/, to: 'return true;' },
      { file: 'util/limits.js', from: 'if (bytes.length <= SHORT_BYTES_MAX)', to: 'if (true)' },
    ],
  },
  {
    name: 'names of queues and exchanges may have any length',
    fuzzers: ['http'],
    changes: [{ file: 'broker/declare-rules.js', from: 'if (isShort(name))', to: 'if (true)' }],
  },
  {
    name: 'a lone surrogate and any depth come in with JSON',
    fuzzers: ['http'],
    changes: [
      {
        file: 'util/json-input.js',
        from: /function mayBeOdd\(text\) \{/,
        to: 'function mayBeOdd(text) { return false;',
      },
    ],
  },
];

/** Copies the build of `root` to `folder` and breaks it; throws when there is no place to break. */
export function breakBuild(root, folder, changes) {
  for (const name of ['bin', 'dist', 'package.json']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, from, to } of changes) {
    const path = join(folder, 'dist', file);
    const before = readFileSync(path, 'utf8');
    const after = before.replace(from, to);
    if (after === before) throw new Error(`${file} has no place to break any more`);
    writeFileSync(path, after);
  }
}
