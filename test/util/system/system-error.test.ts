import { expect, test } from 'vitest';
import { systemCode, wayOutOf } from '../../../src/util/system/system-error.ts';

const failing = (code: unknown): Error => Object.assign(new Error('it failed'), { code });

test('errors of the system have a code, also where LMDB says it as a number', () => {
  expect(systemCode(failing('ENOSPC'))).toBe('ENOSPC');
  expect(systemCode(failing(28))).toBe('ENOSPC');
  expect(systemCode(failing('ERR_MODULE_NOT_FOUND'))).toBe('');
  for (const odd of [-30796, 0, 1.5, Number.NaN, 99_999, null, {}]) {
    expect(systemCode(failing(odd))).toBe('');
  }
  expect(systemCode('ENOSPC')).toBe('');
  const loading = new Error(
    'no build was found\nreading package.json: EMFILE: too many open files',
  );
  expect(systemCode(loading)).toBe('EMFILE');
});

test('what an operator can mend has a way out', () => {
  for (const code of ['EACCES', 'EROFS', 'ENOSPC', 'EMFILE', 'ENOMEM', 'EFBIG', 28]) {
    expect(wayOutOf(failing(code))).toMatch(/\w/);
  }
  expect(wayOutOf(failing('ECONNRESET'))).toBeNull();
});
