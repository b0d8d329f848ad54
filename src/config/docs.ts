// Owns what people read about the settings: docs/configuration.md and the list in `--help`. Never
// holds a fact about a setting itself: the table does.

import type { Setting } from './setting.ts';
import { SETTINGS } from './settings.ts';

const ROWS: readonly Setting<unknown>[] = Object.values(SETTINGS);

/** The list of config file keys that ends `leveret start --help`. */
export function renderHelp(): string {
  const lines = ROWS.flatMap((row) => [
    `  ${row.key} = ${row.show(row.initial)}`,
    `      ${row.about.replaceAll('`', '')}`,
    `      Expects ${row.expects}.`,
  ]);
  return [
    '',
    'Config file keys with their defaults; each may also come from the environment as',
    'LEVERET_<KEY>, in capitals and with underscores for dots (LEVERET_LOG_LEVEL):',
    ...lines,
  ].join('\n');
}

/** The whole of docs/configuration.md. */
export function renderPage(): string {
  const rows = ROWS.map((row) => {
    const flags = row.flags.map(({ name, argument }) => code(`${name} ${argument}`.trim()));
    const variables = row.variables.map(({ name }) => code(name));
    const ways = [...variables.reverse(), ...flags].join(', ');
    const cells = [
      code(row.key),
      code(row.show(row.initial)),
      capital(row.expects),
      ways,
      row.about,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return `${HEAD}\n${rows.join('\n')}\n${TAIL}`;
}

const HEAD = `<!-- Made from src/config/settings.ts. Renew it with: npx vitest run test/config/docs.test.ts -u -->

# Configuration

Leveret runs without any configuration. What you set is read in this order, and what comes later
wins:

1. the defaults below;
2. the files given with \`--config\`, in order of name;
3. environment variables;
4. flags of \`leveret start\`.

A mistake in any of them stops the start, with one line that names the file, the line and the key.

## Settings

| key | default | value | environment, flag | what it does |
|---|---|---|---|---|`;

const TAIL = `
## Config files

The format is that of \`rabbitmq.conf\`, and a setting that RabbitMQ has too goes by the same key:

\`\`\`ini
# A line that starts with # is a comment.
listeners.tcp.default = 0.0.0.0:5672
heartbeat = 30             # so is the rest of this line
default_pass = 'pa#s word' # quotes keep the # and the space
loopback_users.guest = false
\`\`\`

- \`--config\` takes paths and patterns: \`leveret start --config /etc/leveret/*.conf\`. A path or a
  pattern that finds no file is an error.
- When a key is set twice, the last one wins, across files too.
- Files are UTF-8, of at most 1 MiB. Control characters other than tabs are refused, with the line.
- \`listeners.tcp\` and \`listeners.ssl\` may have several members: \`listeners.tcp.local = 127.0.0.1:5673\`.
  The first that is set takes the place of the default. \`--port\` and \`--host\`, and their variables,
  are for \`listeners.tcp.default\`.
- Lists have numbered members (\`auth_mechanisms.1 = PLAIN\`); here too, the first that is set takes the
  place of the default.
- Two keys differ a little from RabbitMQ's. A port alone in \`listeners.tcp.default\` keeps the host,
  which is \`localhost\` (127.0.0.1 and ::1) until you set another, where RabbitMQ would listen on every interface. And
  \`loopback_users.<name> = true\` adds to the list, so \`guest\` stays on it until it is taken off.

## Environment

Every key has a variable: \`LEVERET_\` and the key in capitals, with underscores for dots. An empty
variable counts as not set. \`RABBITMQ_DEFAULT_USER\`, \`RABBITMQ_DEFAULT_PASS\` and
\`RABBITMQ_DEFAULT_VHOST\` work as they do for RabbitMQ's container image; the \`LEVERET_\` variable
wins over them. An unknown \`LEVERET_\` variable is logged as a warning.
`;

function code(text: string): string {
  return `\`${text}\``;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
