// What `npm run screenshots` runs.

import { test } from 'vitest';
import { takeScreenshots } from './screenshots.ts';

test('the pictures of the README and the docs are taken', takeScreenshots, 300_000);
