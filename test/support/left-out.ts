// Owns the paragraph at the end of `npm test` that names what was left out, and how to have it. Never
// decides what is: the tests skip themselves.

import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

/** What a kind of test needs; the first row that fits a file says it. */
const NEEDS: readonly { readonly file: RegExp; readonly what: string; readonly how: string }[] = [
  {
    file: /^test\/(ui|browser)\//,
    what: 'the web UI in a browser',
    how: 'install Chromium (Debian: `apt-get install chromium`)',
  },
  {
    file: /^test\/examples\/poison/,
    what: 'a worker written in Go',
    how: 'install Go and its client (Debian: `apt-get install golang-go golang-github-rabbitmq-amqp091-go-dev`)',
  },
  {
    file: /^test\/(store\/replicated\/nats\/|(crash|examples|process)\/cluster)/,
    what: 'the log that several nodes share, on servers of NATS',
    how: 'install nats-server 2.12.3 or later (`go install github.com/nats-io/nats-server/v2@v2.12.4`), or name one in NATS_SERVER',
  },
  {
    file: /^test\/power\//,
    what: 'loss of power and faults of the disk',
    how: 'install a C compiler (Debian: `apt-get install gcc libc6-dev`); Linux only',
  },
  {
    file: /^test\/process\/(alarms|full-disk)/,
    what: 'disks that are really full',
    how: 'run as root on Linux, where a tmpfs may be mounted',
  },
  {
    file: /^test\/conformance\/definitions/,
    what: 'definitions that RabbitMQ imports',
    how: 'set AMQP_URL and run `npm run conformance` beside a RabbitMQ',
  },
];

/** Said where the tests are repeated on another version of Node.js. */
const ONCE_ONLY =
  'TESTS_AGAIN is set: the files of ONCE in test/support/projects.ts were left out, as they ran before.';

const OTHERS = 'see the test for its condition';

/** A reporter for vitest. */
export class LeftOut implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    // What a pattern of names leaves out is what its author asked for.
    if (process.argv.some((each) => each === '-t' || each.startsWith('--testNamePattern'))) return;
    const again = process.env['TESTS_AGAIN'] === 'true' ? `${ONCE_ONLY}\n` : '';
    process.stdout.write(`\n${again}${paragraph(modules)}\n`);
  }
}

function paragraph(modules: readonly TestModule[]): string {
  const counts = new Map<string, number>();
  let total = 0;
  for (const module of modules) {
    const file = relative(process.cwd(), module.moduleId);
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state !== 'skipped') continue;
      total += 1;
      const need = NEEDS.find((each) => each.file.test(file));
      const note = 'note' in result && result.note !== undefined ? ` (${result.note})` : '';
      const line =
        need === undefined
          ? `- ${file}: "${test.name}"${note}: ${OTHERS}`
          : `- ${need.what}${note}: ${need.how}`;
      counts.set(line, (counts.get(line) ?? 0) + 1);
    }
  }
  if (total === 0)
    return 'Nothing was left out. Longer proofs are scripts: see "Tests" in CONTRIBUTING.md.';
  const lines = [...counts].map(([line, count]) =>
    count === 1 ? line : `${line} (${count} tests)`,
  );
  return [`Left out: ${total} ${total === 1 ? 'test' : 'tests'}.`, ...lines].join('\n');
}
