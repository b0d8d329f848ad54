// Owns builds that are broken on purpose: each puts a fault back that odd messages or requests once led to,
// and names the fuzzers that have to find it. Never runs one.

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
    changes: [
      { file: 'broker/vhost/declare-rules.js', from: 'if (isShort(name))', to: 'if (true)' },
    ],
  },
  {
    name: 'a lone surrogate and any depth come in with JSON',
    fuzzers: ['http'],
    changes: [
      {
        file: 'util/json/json-input.js',
        from: /function mayBeOdd\(text\) \{/,
        to: 'function mayBeOdd(text) { return false;',
      },
    ],
  },
];
