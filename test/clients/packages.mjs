// Sees that the packages of Debian that a client needs are there, and installs them where that is
// possible. Never installs anything else.
import { spawnSync } from 'node:child_process';

let updated = false;

/** Answers with the reason why they are not there, or ''. */
export function provide(packages) {
  const missing = packages.filter((name) => packageVersion(name) === '');
  if (missing.length === 0) return '';
  const list = missing.join(' ');
  if (!found('apt-get')) return `${list} not installed, and there is no apt-get`;
  if (process.getuid() !== 0)
    return `${list} not installed; only root can: apt-get install ${list}`;
  console.log(`installing ${list}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  if (!updated) spawnSync('apt-get', ['update'], { env });
  updated = true;
  const { status, stderr } = spawnSync(
    'apt-get',
    ['install', '-y', '--no-install-recommends', ...missing],
    { env, encoding: 'utf8' },
  );
  return status === 0 ? '' : `apt-get install ${list}: ${stderr.trim().split('\n').at(-1)}`;
}

/** The version without Debian's part, '' for a package that is not there. */
export function packageVersion(name) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills these in
  const args = ['-W', '-f', '${db:Status-Status} ${Version}', name];
  const { status, stdout } = spawnSync('dpkg-query', args, { encoding: 'utf8' });
  const [state, version] = status === 0 ? stdout.split(' ') : [];
  return state === 'installed' ? version.replace(/^\d+:/, '').replace(/-[^-]*$/, '') : '';
}

function found(program) {
  return spawnSync('which', [program]).status === 0;
}
