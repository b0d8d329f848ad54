import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Programs of their own; and what hands on the lines of others. */
const OTHER_ROOMS = ['src/cli/', 'src/perf/', 'src/management/ui/', 'src/util/log/safe-logger.ts'];
const LOG_CALL = /\blog(?:ger)?\??\.(?:trace|debug|info|warn|error|fatal)\(/;
const QUOTA = /\badmits(?:Line)?\(/;
/** The quota is asked right before the line, or in a condition a few lines above. */
const LINES_BEFORE = 4;

/** Lines without a quota, by a part of their text, with the reason. */
const EXPLAINED: readonly { file: string; text: string; why: string }[] = [
  {
    file: 'src/boot/start.ts',
    text: 'warnings ?? []) logger.warn(warning)',
    why: 'once, before a port is open',
  },
  { file: 'src/boot/start.ts', text: 'logger.warn(NO_LOG)', why: 'once in a start' },
  {
    file: 'src/boot/start.ts',
    text: 'the last batches were read back out of batches.log',
    why: 'once in a start',
  },
  { file: 'src/boot/start.ts', text: 'logger.info({ bytes: tornBytes }', why: 'once in a start' },
  {
    file: 'src/boot/definitions.ts',
    text: 'definitions are unchanged: not loaded',
    why: 'once, before a port is open',
  },
  {
    file: 'src/boot/definitions.ts',
    text: 'logger.warn({ file: path }, warning)',
    why: 'the files of the settings, once, before a port is open',
  },
  {
    file: 'src/boot/definitions.ts',
    text: 'definitions loaded',
    why: 'one for each file of the settings, before a port is open',
  },
  {
    file: 'src/boot/serve.ts',
    text: 'that the data folder holds data could not be noted there',
    why: 'once in a start',
  },
  { file: 'src/boot/tool-ports.ts', text: 'listener failed', why: 'the system took a port away' },
  {
    file: 'src/boot/tool-ports.ts',
    text: 'another program has the port',
    why: 'once for each port',
  },
  { file: 'src/boot/tool-ports.ts', text: 'no control socket', why: 'once in a start' },
  {
    file: 'src/management/cluster/hand-on.ts',
    text: 'requests not handed on',
    why: 'each 5 s at most',
  },
  { file: 'src/boot/cluster/member.ts', text: 'asked to step down', why: 'once in a term' },
  {
    file: 'src/boot/cluster/groups/group-term.ts',
    text: 'asked to follow the group main',
    why: 'once for each time that an administrator asks',
  },
  {
    file: 'src/boot/cluster/groups/directory-follower.ts',
    text: 'were not taken over',
    why: 'the same once a minute at most, and of what main decides',
  },
  {
    file: 'src/boot/cluster/groups/moves.ts',
    text: "'a vhost leaves'",
    why: 'once for each snapshot of a move',
  },
  {
    file: 'src/boot/cluster/groups/moves.ts',
    text: "'a vhost has arrived'",
    why: 'once for each move',
  },
  {
    file: 'src/boot/cluster/groups/moves.ts',
    text: "'a vhost cannot be moved'",
    why: 'once for each move',
  },
  {
    file: 'src/boot/cluster/groups/moves.ts',
    text: "'what was in a vhost that is elsewhere is dropped'",
    why: 'once for each move',
  },
  {
    file: 'src/boot/cluster/groups/moves.ts',
    text: 'around.logger.warn(',
    why: 'each 2 s at most, while a vhost is on its way',
  },
  {
    file: 'src/cluster/peers/peer-server.ts',
    text: 'a call of another group was not answered',
    why: 'of a node that has proved the secret, which asks twice a second at most',
  },
  { file: 'src/boot/cluster/standby-tools.ts', text: "'listening'", why: 'once for each port' },
  {
    file: 'src/cluster/proxy.ts',
    text: 'connections not handed on',
    why: 'each 5 s at most',
  },
  {
    file: 'src/cluster/peers/peer-server.ts',
    text: "'cluster port failed'",
    why: 'the system took a port away',
  },
  {
    file: 'src/cluster/peers/peer-server.ts',
    text: "'snapshot sent'",
    why: 'one for each snapshot that a node fetches, which knows the secret',
  },
  {
    file: 'src/cluster/peers/peer-server.ts',
    text: "'snapshot not sent');",
    why: 'the same',
  },
  {
    file: 'src/cluster/peers/peer-server.ts',
    text: "reason: causeText(error) }, 'snapshot not sent'",
    why: 'the same',
  },
  {
    file: 'src/cluster/peers/peer-server.ts',
    text: 'refused at the cluster port',
    why: 'each 5 s at most',
  },
  {
    file: 'src/boot/cluster/copies.ts',
    text: 'a snapshot was put in place',
    why: 'once in a start',
  },
  ...['words.begins', 'words.over'].map((text) => ({
    file: 'src/cluster/outage.ts',
    text,
    why: 'once in a time that something does not work, and four reasons at most',
  })),
  {
    file: 'src/boot/cluster/copies.ts',
    text: 'the log was trimmed',
    why: 'each 64 MiB of log, or each look at one that is half full',
  },
  {
    file: 'src/boot/cluster/member.ts',
    text: 'warnings ?? []) this.logger.warn(warning)',
    why: 'once in a change of roles',
  },
  {
    file: 'src/boot/cluster/member.ts',
    text: 'following the log',
    why: 'once in a change of roles',
  },
  {
    file: 'src/boot/cluster/member.ts',
    text: 'this node leads',
    why: 'once in a change of roles',
  },
  {
    file: 'src/boot/cluster/member.ts',
    text: "'listening'",
    why: 'one for each port, once in a change of roles',
  },
  {
    file: 'src/boot/cluster/start.ts',
    text: 'client.warnings) logger.warn(warning)',
    why: 'once in a start',
  },
  {
    file: 'src/boot/cluster/term.ts',
    text: 'this node leads no longer',
    why: 'once in a change of roles',
  },
  {
    file: 'src/cluster/snapshots/snapshot-keeper.ts',
    text: "'snapshot made'",
    why: 'one for so many bytes of log',
  },
  {
    file: 'src/cluster/snapshots/snapshot-keeper.ts',
    text: "'snapshot dropped'",
    why: 'once for each snapshot',
  },
  {
    file: 'src/cluster/snapshots/snapshot-keeper.ts',
    text: "'snapshot could not be removed'",
    why: 'once for each snapshot',
  },
  {
    file: 'src/server/listen/open-listeners.ts',
    text: 'this machine has no such address',
    why: 'once for each address of a listener, in a start',
  },
  {
    file: 'src/management/routes/settings.ts',
    text: 'setting: name, before, value',
    why: 'what an administrator changes is an audit, always written',
  },
  {
    file: 'src/util/guard.ts',
    text: 'err: error, where',
    why: 'the guard has a bound of its own: LINES_MAX in SPAN_MS',
  },
  {
    file: 'src/server/listen/listener.ts',
    text: 'listener failed',
    why: 'the system took a port away',
  },
  {
    file: 'src/server/log/line-quota.ts',
    text: 'more lines of one kind',
    why: 'the quota itself: one for each kind in a span',
  },
  {
    file: 'src/server/log/audit-log.ts',
    text: 'log.info(names, text)',
    why: 'what clients make has a quota; what rights, policies and vhosts become is an audit, always written',
  },
  {
    file: 'src/server/log/audit-log.ts',
    text: 'log.debug(names, text)',
    why: 'the same; what an import brings, row by row, is for `debug` alone',
  },
  {
    file: 'src/server/turn/clock-watch.ts',
    text: '{ jumpMs }',
    why: 'one a look of the clock, when the time of day was set',
  },
  {
    file: 'src/server/backpressure/resource-monitor.ts',
    text: 'cannot read how much of the disk is free',
    why: 'once, until it can be read again',
  },
  {
    file: 'src/server/backpressure/resource-monitor.ts',
    text: 'WARNINGS[name]',
    why: 'an alarm stays on for ALARM_MS_MIN at least',
  },
  {
    file: 'src/server/backpressure/resource-monitor.ts',
    text: 'alarm is off',
    why: 'an alarm stays on for ALARM_MS_MIN at least',
  },
  {
    file: 'src/server/listen/socket-limit.ts',
    text: 'this.refused }',
    why: 'one in SAY_INTERVAL_MS',
  },
  {
    file: 'src/server/server.ts',
    text: 'certificates read again',
    why: 'when an operator asks for it',
  },
  {
    file: 'src/server/tls/files.ts',
    text: 'certificates not read again',
    why: 'when an operator asks for it',
  },
  {
    file: 'src/server/tls/files.ts',
    text: 'context.warnings',
    why: 'at the start, and when an operator asks for it',
  },
  {
    file: 'src/server/log/set-aside-log.ts',
    text: '{ messages, definitions }',
    why: 'once, before a port is open',
  },
  {
    file: 'src/server/log/set-aside-log.ts',
    text: '{ id, kind, vhost, name, err: cause }',
    why: 'one for each row that a start cannot read',
  },
  {
    file: 'src/server/log/set-aside-log.ts',
    text: '{ id, vhost, queue, seq, position',
    why: 'LINES_MAX in PERIOD_MS',
  },
  {
    file: 'src/management/routes/listeners.ts',
    text: 'listeners suspended',
    why: 'what an administrator changes is an audit, always written',
  },
  {
    file: 'src/management/routes/listeners.ts',
    text: 'listeners resumed',
    why: 'what an administrator changes is an audit, always written',
  },
  {
    file: 'src/management/web-socket.ts',
    text: 'AMQP over WebSocket is refused',
    why: 'one in SAY_INTERVAL_MS',
  },
];

test('no peer can fill the log: each line has a quota, or a reason to need none', () => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `src/${file}`);
  const unbounded: string[] = [];
  const used = new Set<object>();
  let found = 0;
  for (const file of files) {
    if (OTHER_ROOMS.some((room) => file.startsWith(room))) continue;
    const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
    for (const [at, line] of lines.entries()) {
      if (!LOG_CALL.test(line) || /^\s*(?:\/\/|\*)/.test(line)) continue;
      found += 1;
      // What a call is given may stand on the lines below it.
      const call = lines.slice(at, at + 3).join('\n');
      const row = EXPLAINED.find(
        (each) => each.file === file && call.includes(each.text) && !used.has(each),
      );
      if (row !== undefined) used.add(row);
      else if (!QUOTA.test(lines.slice(Math.max(0, at - LINES_BEFORE), at + 1).join('\n'))) {
        unbounded.push(`${file}:${at + 1}: ${line.trim()}`);
      }
    }
  }
  expect(unbounded).toEqual([]);
  expect(EXPLAINED.filter((row) => !used.has(row))).toEqual([]);
  expect(found).toBeGreaterThan(EXPLAINED.length);
});
