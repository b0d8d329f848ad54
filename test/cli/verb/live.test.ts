// The verbs for a running broker, against a broker with its HTTP API.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { wordsOf } from '../../../src/cli/completion.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { HttpApi } from '../../../src/cli/verb/http-api.ts';
import { type Api, startApi } from '../../management/support.ts';
import { capture } from '../capture.ts';

let api: Api;
const folder = mkdtempSync(join(tmpdir(), 'leveret-verbs-'));

beforeAll(async () => {
  api = await startApi();
});
beforeEach(() => {
  vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:guest@'));
  vi.stubEnv('LEVERET_DATA_DIR', '');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
  await api.close();
});

const leveret = (...args: string[]) =>
  capture(() => buildProgram().parseAsync(args, { from: 'user' }));

async function says(args: readonly string[], text: string | RegExp): Promise<void> {
  const { out, err, code } = await leveret(...args);
  expect(`${args.join(' ')}: ${err}`).toBe(`${args.join(' ')}: `);
  expect(out).toMatch(text);
  expect(code).toBe(0);
}

describe('leveret', () => {
  test('declares, lists, publishes, looks, takes and deletes', async () => {
    await says(['status'], /Alarms +none/);
    await says(['declare', 'queue', 'jobs', '--arguments', '{"x-max-length":10}'], "queue 'jobs'");
    await says(['declare', 'queue', 'other', '--transient'], "queue 'other'");
    await says(['declare', 'exchange', 'news', 'topic'], "exchange 'news'");
    await says(['declare', 'binding', 'news', 'jobs', 'a.#'], "Bound 'jobs' to 'news'");
    await says(['publish', '-x', 'news', '-k', 'a.b', 'hello'], /^Published\n$/);
    await says(['list', 'queues', 'name', 'messages', 'durable'], /jobs +1 +true\nother +0 +false/);
    await says(['list', 'bindings', '--format', 'json'], '"routing_key": "a.#"');
    await says(['get', 'jobs'], /news +a\.b +false .*hello/);
    await says(['browse', 'jobs', '--key', 'a.*'], /0 +ready +news +a\.b/);
    await says(['move', 'jobs', 'other'], /^Moved 1 message\n$/);
    await says(['consume', 'other', '-c', '1'], /^hello\n$/);
    await says(['purge', 'jobs'], "Purged the queue 'jobs'");
    await says(['delete', 'binding', 'news', 'jobs', 'a.#'], 'Deleted 1 binding');
    await says(['delete', 'exchange', 'news'], "Deleted the exchange 'news'");
    await says(
      ['delete', 'queue', 'other', '--if-unused', '--if-empty'],
      "Deleted the queue 'other'",
    );
    await says(['top', '--once'], /\/ +jobs +0 +0 +0/);
    await says(['list', 'exchanges'], /\/ +amq\.topic +topic +true +false +false/);
  });

  test('shows what waits for its time and what comes back, sends it now and drops it', async () => {
    const args = '{"x-delayed-retry-min":3000,"x-delivery-limit":1}';
    await says(['declare', 'queue', 'waits', '--arguments', args], "queue 'waits'");
    for (const [body, hours] of Object.entries({ late: 2, early: 1, last: 3 })) {
      const properties = JSON.stringify({ headers: { 'x-delay': hours * 3_600_000 } });
      await says(['publish', '-k', 'waits', '--properties', properties, body], /^Published\n$/);
    }
    await says(['status'], /Messages +0 ready, 0 unacked, 3 delayed/);
    await says(['list', 'queues', 'name', 'messages_delayed', '--name', 'waits'], /waits +3/);
    await says(
      ['browse', 'waits'],
      /^seq +state +due .*\n +delayed +\d{4}-.*Z +waits .* early\n.* late\n.* last\n$/,
    );
    const browsed = await leveret('browse', 'waits', '--limit', '1');
    expect(browsed.out).toMatch(/ early\n$/);
    expect(browsed.err).toBe(
      '2 messages wait for their time beside these: leveret delayed waits\n',
    );
    const chosen = await leveret('browse', 'waits', '--key', 'waits');
    expect(chosen.err).toContain('3 messages wait for their time: leveret delayed waits\n');
    const table = await leveret('delayed', 'waits', '--limit', '2');
    expect(table.err).toBe(
      '3 messages wait for their time. What comes back waits 3 s, up to 2 attempts; then it is dropped.\n' +
        'There are more: give a higher --limit\n',
    );
    expect(table.out).toMatch(/^id .*\n\d+-2 +\d{4}-.*Z +0 +waits .* early\n\d+-1 .* late\n$/);
    const { out, err } = await leveret('delayed', 'waits', '--json');
    expect(err).toBe('');
    const [early = '', late = ''] = (JSON.parse(out) as { id: string }[]).map(({ id }) => id);
    await says(
      ['delayed', 'waits', '--send', '--id', late, 'none'],
      /^Sent 1 message; nothing waits under 1 id\n$/,
    );
    await says(['delayed', 'waits', '--drop', '--id', early], /^Dropped 1 message\n$/);
    await says(['get', 'waits', '--ack'], / late\n$/);
    await says(['delayed', 'waits', '--drop'], /^Dropped 1 message\n$/);
    expect(await leveret('delayed', 'waits', '--id', early)).toMatchObject({
      err: 'leveret: --id goes with --send or --drop\n',
      code: 64,
    });
    await says(['delete', 'queue', 'waits'], "Deleted the queue 'waits'");
  });

  test('shows clients and why they closed, and closes them', async () => {
    const clientProperties = { connection_name: 'worker 7' };
    const connection = await connect(api.amqpUrl, { clientProperties });
    // Being closed by an operator is no error to this client.
    const gone = new Promise((resolve) => connection.on('close', resolve));
    const channel = await connection.createChannel();
    await channel.assertQueue('work');
    await channel.prefetch(5);
    await channel.consume('work', () => {}, { consumerTag: 'me' });
    const failing = await connection.createChannel();
    failing.on('error', () => {});
    await failing.checkQueue('none').catch(() => {});
    await says(['list', 'connections'], /worker 7 +guest +\/ +running +\d/);
    await says(['list', 'channels'], /\(1\) +worker 7 +guest +\/ +1 +5 +0/);
    await says(['list', 'consumers'], /\/ +work +me +true +5 +true +worker 7/);
    await says(['list', 'closed', 'channel', 'code', 'by'], /2 +404 +broker/);
    await says(['list', 'closed'], /channel +\S+ -> \S+ +worker 7 +2 /);
    const { out } = await leveret('list', 'connections', 'name', '--format', 'json');
    const [{ name }] = JSON.parse(out) as [{ name: string }];
    await says(['close', name, 'time to go'], '');
    expect(String(await gone)).toContain(
      '320 (CONNECTION-FORCED) with message "CONNECTION_FORCED - time to go"',
    );
    const closed = /320 +CONNECTION_FORCED - time to go/;
    // It is one of them when its socket is closed, too.
    await vi.waitFor(() => says(['list', 'closed', 'code', 'text'], closed));
    await says(['delete', 'queue', 'work'], '');
  });

  test('shows the times of schedules as dates, and none where there is none', async () => {
    await says(['schedule', 'set', 'yearly', '--cron', '0 0 1 1 *', '-k', 'work', 'x'], 'yearly');
    const date = /\d{4}-01-01T00:00:00\.000Z/;
    await says(['list', 'schedules', 'name', 'next_at'], new RegExp(`yearly +${date.source}`));
    const { out } = await leveret('list', 'schedules', 'next_at', 'last_at', '--format', 'json');
    expect(JSON.parse(out)).toEqual([{ next_at: expect.stringMatching(date), last_at: null }]);
    await says(['schedule', 'delete', 'yearly'], 'yearly');
  });

  test('moves dead letters back to where they died', async () => {
    const dead = '{"x-dead-letter-exchange":"","x-dead-letter-routing-key":"graves"}';
    await says(['declare', 'queue', 'alive', '--arguments', dead], '');
    await says(['declare', 'queue', 'graves'], '');
    await says(['publish', '-k', 'alive', 'one'], 'Published');
    await says(['get', 'alive', '--reject'], 'one');
    await says(['list', 'queues', 'name', 'messages'], /alive +0\ngraves +1/);
    await says(['redrive', 'graves'], /^Moved 1 message\n$/);
    await says(['list', 'queues', 'name', 'messages'], /alive +1\ngraves +0/);
    for (const queue of ['alive', 'graves']) await says(['delete', 'queue', queue], '');
  });

  test('manages access, policies and definitions, by short names and by those of rabbitmqctl', async () => {
    await says(['user', 'add', 'bob', 'secret', '--tags', 'monitoring'], '');
    await says(['user', 'tags', 'bob', 'management', 'policymaker'], '');
    await says(['list', 'users'], /bob +\[management, policymaker\]/);
    await says(['authenticate_user', 'bob', 'secret'], 'Success');
    await says(['user', 'password', 'bob', 'other'], '');
    expect((await leveret('authenticate_user', 'bob', 'secret')).code).toBe(1);
    await says(['vhost', 'add', 'shop', '--description', 'Orders'], '');
    await says(['permission', 'set', '-p', 'shop', 'bob', '^a', '^b', '^c'], '');
    await says(['list_user_permissions', 'bob'], /shop +\^a +\^b +\^c/);
    await says(['permission', 'list', '-p', 'shop'], /bob +\^a +\^b +\^c/);
    await says(['list', 'permissions'], /bob +shop +\^a +\^b +\^c/);
    await says(['permission', 'clear', '-p', 'shop', 'bob'], '');
    await says(['permission', 'list', '-p', 'shop'], /^(?!.*bob)/s);
    await says(['user', 'list'], /bob +\[management, policymaker\]/);
    await says(['vhost', 'list'], /shop/);
    await says(['list', 'vhosts'], /shop +Orders/);
    await says(['set_topic_permissions', '-p', 'shop', 'bob', 'amq.topic', '^x', '.*'], '');
    await says(['list_topic_permissions', '-p', 'shop'], /bob +amq\.topic +\^x/);
    await says(['set_vhost_limits', '-p', 'shop', '{"max-queues":3}'], '');
    await says(['list_vhost_limits'], /shop +\{"max-queues":3\}/);
    await says(['clear_vhost_limits', '-p', 'shop'], '');
    await says(['set_user_limits', 'bob', '{"max-channels":9}'], '');
    await says(['list_user_limits'], /bob +\{"max-channels":9\}/);
    await says(['policy', 'set', 'short', '^j', '{"max-length":1}', '--apply-to', 'queues'], '');
    await says(['list_policies'], /short +\^j +queues/);
    await says(['policy', 'list'], /short +\^j +queues/);
    await says(['set_global_parameter', 'mood', '"fine"'], '');
    await says(['list_global_parameters'], /mood +fine/);
    const file = join(folder, 'all.json');
    await says(['definitions', 'export', file], '');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      vhosts: expect.arrayContaining([expect.objectContaining({ name: 'shop' })]),
    });
    await says(['policy', 'clear', 'short'], '');
    await says(['vhost', 'delete', 'shop'], '');
    await says(['definitions', 'import', file], '');
    await says(['list', 'policies'], /short/);
    await says(['list_vhosts'], /shop +Orders/);
    await says(['user', 'delete', 'bob'], '');
  });

  test('says what is wrong, and how to mend it', async () => {
    const failing: readonly (readonly [args: readonly string[], text: string, url?: string])[] = [
      [['delete', 'queue', 'none'], "no queue 'none' in vhost '/'"],
      [['close', 'nobody'], "there is no connection 'nobody': see leveret list connections"],
      [['permission', 'set', 'nobody', 'a', 'b', 'c'], "there is no user 'nobody'"],
      [['add_user', 'guest', 'x'], "there is a user 'guest' already"],
      [['status'], "start one with 'leveret start'", 'http://127.0.0.1:9'],
      [['status'], 'or its password is wrong', api.url.replace('//', '//guest:wrong@')],
      [['status'], 'is no URL', 'http://['],
      [['publish', '-k', 'nowhere', 'x'], 'no queue took the message', api.url],
      [['publish', 'jobs', 'x'], 'name the queue with -k'],
      [['top', '--once', '--sort', 'foo'], "there is no column 'foo'"],
    ];
    await says(['declare', 'queue', 'one'], '');
    for (const [args, text, url] of failing) {
      if (url !== undefined) vi.stubEnv('LEVERET_URL', url);
      const { err, code } = await leveret(...args);
      expect(err).toContain(text);
      expect(err).toMatch(/^leveret: [^\n]*\n$/);
      const usage = err.includes('with -k') || err.includes('column');
      expect([args, code]).toEqual([args, err.includes('no broker answers') ? 69 : usage ? 64 : 1]);
    }
    await says(['top', '--once', '--sort', 'ready'], 'one');
    await says(['delete', 'queue', 'one'], '');
  });

  test('names the ways out that the verb has, where no broker answers', async () => {
    vi.stubEnv('LEVERET_URL', 'http://127.0.0.1:9');
    const said = async (...args: string[]) => (await leveret(...args)).err;
    expect(await said('status')).toMatch(/LEVERET_URL\n$/);
    expect(await said('status')).not.toContain('--data-dir');
    expect(await said('list_users')).toContain('--data-dir');
    const near = new HttpApi({ url: 'http://127.0.0.1:9', near: true, folder: '/nothing' });
    await expect(near.get('/nodes')).rejects.toThrow('LEVERET_DATA_DIR');
  });

  test('an import says what is wrong with the file only where the file is wrong', async () => {
    const file = join(folder, 'some.json');
    const into = async (text: string, ...more: string[]) => {
      writeFileSync(file, text);
      return leveret('definitions', 'import', file, ...more);
    };
    vi.stubEnv('LEVERET_URL', 'http://127.0.0.1:9');
    const silent = await into('{}');
    expect(silent.code).toBe(69);
    expect(silent.err).toMatch(/^leveret: no broker answers (?!.*(some\.json|skip-unsupported))/);
    for (const [text, what] of [
      ['[]', 'a list'],
      ['null', 'null'],
      ['"x"', 'a string'],
    ])
      expect((await into(String(text))).err).toContain(`this is ${what}; name a file`);
    vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:wrong@'));
    expect((await into('{}')).err).not.toContain('some.json');
    vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:guest@'));
    expect((await into('{}', '-p', 'nov')).err).not.toContain('skip-unsupported');
    expect((await into('{"queues":[{"vhost":"/"}]}')).err).toContain('--skip-unsupported');
  });

  test('a table of dead letters leaves out the headers of their past, which JSON has', async () => {
    const dead = '{"x-dead-letter-exchange":"","x-dead-letter-routing-key":"past"}';
    await says(['declare', 'queue', 'dying', '--arguments', dead], '');
    await says(['declare', 'queue', 'past'], '');
    const properties = '{"headers":{"tenant":7}}';
    await says(['publish', '-k', 'dying', '--properties', properties, 'one'], 'Published');
    await says(['get', 'dying', '--reject'], 'one');
    for (const verb of ['get', 'browse']) {
      const { out } = await leveret(verb, 'past');
      expect(out).toContain('"tenant":7');
      expect(out).not.toContain('"x-death"');
      expect((await leveret(verb, 'past', '--json')).out).toContain('"x-death"');
    }
    expect((await leveret('browse', 'past')).out).toContain('rejected in dying');
    for (const queue of ['dying', 'past']) await says(['delete', 'queue', queue], '');
  });

  test('shows a stream from a place on, and by filter value', async () => {
    await says(['declare', 'queue', 'log', '--arguments', '{"x-queue-type":"stream"}'], '');
    for (const value of ['a', 'b', 'a']) {
      const properties = `{"headers":{"x-stream-filter-value":"${value}"}}`;
      await says(['publish', '-k', 'log', '--properties', properties, `of-${value}`], '');
    }
    await says(['browse', 'log'], /0 +\d{4}-.*of-a\n1 .*of-b\n2 .*of-a\n$/);
    await says(['browse', 'log', '--offset', '1', '--json'], /"offset": 1,[\s\S]*"offset": 2,/);
    await says(['browse', 'log', '--offset', '-1'], /(^|\n)2 .*of-a\n$/);
    await says(['browse', 'log', '--time', '1h', '--filter', 'b'], /(^|\n)1 .*of-b\n$/);
    await says(['browse', 'log', '--filter', 'b', 'a'], /0 .*of-a\n1 .*of-b\n2 .*of-a\n$/);
    expect((await leveret('browse', 'log', '--offset', 'x')).err).toContain('offset must be');
    await says(['delete', 'queue', 'log'], '');
  });

  test('a limit says in the help what it limits', async () => {
    const about = (verb: string) =>
      buildProgram()
        .commands.find((each) => each.name() === verb)
        ?.options.find(({ long }) => long === '--limit')?.description;
    expect(['get', 'browse', 'consume', 'move', 'redrive'].map(about)).toEqual([
      'The most to get.',
      'The most to show.',
      'The most to take out.',
      'The most to move.',
      'The most to move.',
    ]);
  });

  test('gives advice that fits: an empty or unknown name, a reserved one, a file that is not there', async () => {
    await says(['declare', 'queue', 'advised'], '');
    const empty: readonly string[][] = [
      ['user', 'add', '', 'x'],
      ['user', 'add', 'x', ''],
      ['vhost', 'add', ''],
      ['declare', 'queue', ''],
      ['purge', ''],
    ];
    for (const args of empty) {
      const { err, code } = await leveret(...args);
      expect({ args, err, code }).toEqual({
        args,
        err: expect.stringMatching(/^leveret: .* must not be empty.*\n$/),
        code: 64,
      });
    }
    const refused: readonly (readonly [string[], string])[] = [
      [
        ['settings', 'get', 'log.levle'],
        "there is no setting 'log.levle'; did you mean 'log.level'?",
      ],
      [
        ['move', 'advised', 'advisd'],
        "there is no queue 'advisd' in vhost '/'; did you mean 'advised'?",
      ],
      [['declare', 'queue', 'amq.x'], "queue name 'amq.x' contains reserved prefix 'amq.*'"],
      [
        ['definitions', 'import', '/nothere.json'],
        '/nothere.json: cannot be read: there is no such file; name one that is there',
      ],
      [['permission', 'list', '-p', 'nov'], "there is no vhost 'nov'"],
    ];
    for (const [args, said] of refused) {
      expect(await leveret(...args)).toEqual({ out: '', err: `leveret: ${said}\n`, code: 1 });
    }
    await says(['delete', 'queue', 'advised'], '');
  });

  test('completes every command and option', () => {
    const words = wordsOf(buildProgram());
    expect(words.get('')).toEqual(expect.arrayContaining(['start', 'list', 'top', 'list_queues']));
    expect(words.get('list')).toEqual(expect.arrayContaining(['queues', 'closed']));
    expect(words.get('declare queue')).toContain('--transient');
  });

  test.each(['bash', 'zsh', 'fish'])('prints a script for %s', async (shell) => {
    await says(['completion', shell], /leveret/);
    expect((await leveret('completion', 'csh')).err).toContain('bash, zsh, fish');
  });
});
