// Owns `npm run dev`: a broker that runs the sources as they are, and starts again when one of them changes. What
// follows `--` goes to `leveret start`. Never needs a build.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const RUN = '--run';
const [first, ...rest] = process.argv.slice(2);

if (!process.features.typescript) {
  console.error(
    `npm run dev runs the sources without a build, which needs Node 22.18 or newer; this is ${process.versions.node}: take that, or npm run build && npm start`,
  );
  process.exit(1);
} else if (first === RUN) {
  const { runLeveret } = await import('./src/cli/leveret.ts');
  await runLeveret([...process.argv.slice(0, 2), 'start', ...rest]);
} else {
  const args = ['--watch', '--watch-preserve-output', '--disable-warning=ExperimentalWarning'];
  const self = fileURLToPath(import.meta.url);
  const given = first === undefined ? [] : [first, ...rest];
  const child = spawn(process.execPath, [...args, self, RUN, ...given], { stdio: 'inherit' });
  // Ctrl-C reaches both: the broker stops in its own time, and this process waits for it.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 0 : 1)));
}
