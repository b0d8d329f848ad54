// npm run scale -- NAME: runs one scenario, or says which there are.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const parts = new Set(['broker', 'soak', 'load', 'report', 'run', 'stalls', 'watch', 'wire']);
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.slice(0, -4))
  .filter((name) => !parts.has(name));
const [, , name] = process.argv;
if (names.includes(name)) {
  await import(`./${name}.mjs`);
} else {
  console.log('npm run scale -- NAME [--messages N], after npm run build:\n');
  for (const each of names) {
    const about = readFileSync(`${folder}${each}.mjs`, 'utf8').match(/^(\/\/ .*\n)+/)?.[0] ?? '';
    console.log(`  ${each.padEnd(14)} ${about.replace(/\n?\/\/ /g, ' ').trim()}`);
  }
  process.exitCode = name === undefined ? 0 : 2;
}
