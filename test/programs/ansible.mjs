// Runs the modules of Ansible's community.rabbitmq three times: in check mode, to make changes, and again. The first
// two must say that there is something to change, the last that there is nothing, and nothing may be made in check mode.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PLAYBOOK = fileURLToPath(new URL('./ansible.yml', import.meta.url));
const LIMIT_MS = 600_000;

/**
 * What a task says in each run: whether it changed something. Some modules say so each time, some cannot look in check
 * mode at what was not made yet.
 */
const EVERY_TIME = [true, true, true];
const USUALLY = [true, true, false];
const NEVER = [false, false, false];
/** Null: skipped in check mode, which the module does not have, or where what it needs was not made. */
const NOT_IN_CHECK = [null, true, false];
const EXPECTED = {
  rabbitmq_publish: [null, true, true],
  rabbitmq_upgrade: EVERY_TIME,
  rabbitmq_feature_flag: NEVER,
  rabbitmq_plugin: NEVER,
  rabbitmq_user: NOT_IN_CHECK,
  rabbitmq_binding: NOT_IN_CHECK,
};

export async function runAnsible({ broker, env }) {
  const { port } = new URL(broker.httpUrl);
  const runs = [['--check'], [], []].map((flags) => play(flags, port, broker.url, env));
  const broken = runs.find((run) => typeof run === 'string');
  if (broken !== undefined)
    return [{ program: 'ansible', step: 'playbook', result: `failed: ${broken}` }];
  const names = runs[1].map(({ name }) => name);
  return names.map((name, at) => {
    const module = name.split(' ')[0];
    const wanted = EXPECTED[module] ?? USUALLY;
    const found = runs.map((run) => run[at]);
    const wrong = found.findIndex(
      (each, run) =>
        each.failed || (wanted[run] === null ? !each.skipped : each.changed !== wanted[run]),
    );
    const told = found.map(shown).join(', ');
    const result = wrong === -1 ? told : `failed: ${told} ${found[wrong].text}`;
    return { program: 'ansible', step: name, result };
  });
}

function shown({ failed, skipped, changed }) {
  if (failed) return 'FAILED';
  if (skipped) return 'skipped';
  return changed ? 'changed' : 'ok';
}

/** What each task of the playbook came to, in order; a text when there is no telling. */
function play(flags, managementPort, amqpUrl, env) {
  const vars = JSON.stringify({
    management_port: Number(managementPort),
    amqp_url: amqpUrl,
    // That of Debian's packages, whatever else is on the path.
    ansible_python_interpreter: '/usr/bin/python3',
  });
  const { stdout, stderr } = spawnSync(
    'ansible-playbook',
    ['-i', 'localhost,', '-c', 'local', '-e', vars, ...flags, PLAYBOOK],
    {
      encoding: 'utf8',
      timeout: LIMIT_MS,
      maxBuffer: 2 ** 26,
      env: { ...env, ANSIBLE_STDOUT_CALLBACK: 'json', LC_ALL: 'C.UTF-8' },
    },
  );
  let told;
  try {
    told = JSON.parse(stdout.slice(stdout.indexOf('{')));
  } catch {
    return `${stderr.slice(-600)}${stdout.slice(-600)}`;
  }
  return told.plays[0].tasks.map(({ task, hosts }) => {
    const { changed = false, failed = false, skipped = false, msg, stderr: err } = hosts.localhost;
    return { name: task.name, changed, failed, skipped, text: `${msg ?? ''} ${err ?? ''}`.trim() };
  });
}
