import { spawnSync } from 'node:child_process';
import { expect, test, vi } from 'vitest';
import { makeLogger, outputTo, STDOUT } from '../../src/cli/logger.ts';
import type { Settings } from '../../src/config/settings.ts';

type Formatter = Settings['logFormatter'];

/** What a logger writes of one line. */
async function written(formatter: Formatter, terminal: boolean, colours = false): Promise<string> {
  const lines: string[] = [];
  const stream = { write: (line: string) => lines.push(line) };
  const settings = { logConsole: true, logLevel: 'info', logFormatter: formatter } as const;
  const logger = await makeLogger(settings, { terminal, colours, target: stream });
  logger.debug('too little');
  logger.info({ vhost: '/', queue: 'a\u001b[2Jb' }, 'queue declared');
  return lines.join('');
}

test.each<[Formatter, boolean]>([
  ['auto', false],
  ['json', true],
])('a program gets a line of JSON: %s, on a terminal: %s', async (formatter, terminal) => {
  const text = await written(formatter, terminal);
  expect(text).toMatch(/^{"level":"info","time":"\d{4}-[^"]+Z",.*}\n$/);
  expect(JSON.parse(text)).toMatchObject({ queue: 'a\u001b[2Jb', msg: 'queue declared' });
});

test.each<[Formatter, boolean]>([
  ['auto', true],
  ['pretty', false],
])('people get a line for people: %s, on a terminal: %s', async (formatter, terminal) => {
  const text = await written(formatter, terminal);
  expect(text).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: queue declared {"vhost":"\/",.*}\n$/);
});

test('colours are only where they are wanted, and a name never reaches the terminal raw', async () => {
  const plain = await written('pretty', true);
  expect(plain).not.toContain('\u001b');
  const coloured = await written('pretty', true, true);
  expect(coloured).toContain('\u001b[32mINFO');
  expect(coloured).not.toContain('\u001b[2J');
});

test('who wants no log gets none', async () => {
  const stream = { write: vi.fn() };
  const output = { terminal: false, colours: false, target: stream };
  const settings = { logConsole: false, logLevel: 'trace', logFormatter: 'json' } as const;
  (await makeLogger(settings, output)).fatal('the end');
  expect(stream.write).not.toHaveBeenCalled();
});

test.each([
  ['\u001b[2J', '\\u001b[2J'],
  ['\\u001b', '\\u001b'],
  ['\u009b2J\u007f', '\\u009b2J\\u007f'],
  ['a\rb\bc', 'a\\rb\\bc'],
  ['a\nINFO: forged', 'a\\nINFO: forged'],
  ['häse 🐇', 'häse 🐇'],
])('a text cannot act on a terminal, nor forge a line: %j', async (text, shown) => {
  const lines: string[] = [];
  const stream = { write: (line: string) => lines.push(line) };
  const output = { terminal: true, colours: false, target: stream };
  const logger = await makeLogger(
    { logConsole: true, logLevel: 'info', logFormatter: 'auto' },
    output,
  );
  logger.info({ queue: text }, text);
  const [line = ''] = lines;
  expect(line).toContain(`INFO: ${shown} `);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  expect(line).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  expect(line.indexOf('\n')).toBe(line.length - 1);
});

test('what is no terminal gets no colours, nor one that asks for none', () => {
  expect(outputTo(STDOUT, {}).colours).toBe(outputTo(STDOUT, {}).terminal);
  expect(outputTo(STDOUT, { NO_COLOR: '1' }).colours).toBe(false);
  expect(outputTo(STDOUT, { TERM: 'dumb' }).colours).toBe(false);
});

test('what prints for people is loaded only when it is used', () => {
  const module = new URL('../../dist/cli/logger.js', import.meta.url).href;
  const program = `
    import { createRequire } from 'node:module';
    import { makeLogger } from '${module}';
    const loaded = () =>
      Object.keys(createRequire('/').cache).some((path) => path.includes('pino-pretty'));
    const output = { terminal: false, colours: false, target: { write: () => {} } };
    const make = (logFormatter) => makeLogger({ logConsole: true, logLevel: 'info', logFormatter }, output);
    await make('auto');
    const before = loaded();
    await make('pretty');
    console.log(before, loaded());`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '--eval', program]);
  expect(ended.stdout.toString()).toBe('false true\n');
});
