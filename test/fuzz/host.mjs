// Owns a broker in a process of its own, which the fuzzers start, move on in time, and kill. It speaks with
// them over the channel of `fork`. Never decides what is right: that is for the fuzzers.
//
//   node host.mjs ROOT     ROOT holds the dist/ of the build that is tried
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';

const root = process.argv[2];
const { startBroker } = await import(
  pathToFileURL(join(root, 'dist', 'bundle', 'start-broker.js')).href
);
const { pino } = createRequire(join(root, 'package.json'))('pino');
const heartbeat = monitorEventLoopDelay({ resolution: 5 });
heartbeat.enable();

/** Lines of the log that are worth a look go to the fuzzer; the others are nobody's business. */
const logger = pino({ level: 'error', base: null }, { write: (line) => process.send({ line }) });

let broker = null;

const commands = {
  async start({ options }) {
    broker = await startBroker({ ...options, logger });
    void broker.failed.then((error) => {
      process.stderr.write(`the broker can go on no longer: ${error.stack}\n`);
      process.exit(1);
    });
    return { port: broker.port, managementUrl: broker.managementUrl };
  },
  async advance({ ms }) {
    await broker.clock.advance(ms);
  },
  async close() {
    await broker.close();
    broker = null;
  },
  /** Memory in use after garbage is collected, and the longest wait of the event loop since the last look. */
  async look() {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    const stallMs = heartbeat.max / 1e6;
    heartbeat.reset();
    return { mib: (heapUsed + external) / 2 ** 20, stallMs };
  },
};

process.on('message', ({ id, name, ...rest }) => {
  commands[name](rest).then(
    (result) => process.send({ id, result: result ?? null }),
    (error) => process.send({ id, error: String(error?.stack ?? error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send({ ready: true });
