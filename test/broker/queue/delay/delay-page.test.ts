// Owns the tests of single pages of messages that wait.

import { expect, test } from 'vitest';
import { emptyEntry } from '../../../../src/broker/queue/delay/delay-entry.ts';
import { DelayPage } from '../../../../src/broker/queue/delay/delay-page.ts';

test('a page whose bytes have left memory keeps hold of none of them', () => {
  for (const count of [1, 100]) {
    const page = new DelayPage(1, 1, 0, true);
    for (let n = 0; n < count; n++) page.add(emptyEntry());
    expect(page['words'].byteLength).toBeGreaterThan(0);
    page.unload();
    expect(page.bytes).toBeNull();
    // Ten million messages that wait would keep 360 MB.
    expect(page['words'].buffer.byteLength).toBe(0);
  }
});
