// For `npm run screenshots` alone: the tests of the pages are among those of `npm test`.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['test/ui/screenshots.shots.ts'] } });
