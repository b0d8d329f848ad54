// Owns the scripts that complete the words of `leveret` in a shell. They come from the commands
// themselves, so that they are never out of date.

import { Command } from 'commander';
import { NAMED, type Named } from './names-command.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** The command `leveret completion`. */
export function completionCommand(program: Command): Command {
  return new Command('completion')
    .description('Print the completion script of a shell.')
    .argument('<shell>', SHELLS.join(', '))
    .helpOption('-h, --help', 'Show this help.')
    .addHelpText(
      'after',
      '\nbash: eval "$(leveret completion bash)"\nzsh:  eval "$(leveret completion zsh)"\n' +
        'fish: leveret completion fish | source',
    )
    .action((shell: string) => {
      const script = scriptOf(program, shell);
      if (script === null) {
        process.stderr.write(
          `leveret: there is no completion for ${shell}: ${SHELLS.join(', ')}\n`,
        );
        process.exitCode = 64;
        return;
      }
      process.stdout.write(script);
    });
}

/** The words that may follow each command: `''` is the program itself. */
export function wordsOf(program: Command): Map<string, string[]> {
  const words = new Map<string, string[]>();
  const visit = (command: Command, path: string): void => {
    const names = command.commands
      .map((each) => each.name())
      .filter((name) => !name.startsWith('_'));
    const flags = command.options.flatMap(({ long }) => (long == null ? [] : [long]));
    words.set(path, [...names, ...flags, '--help']);
    for (const each of command.commands) visit(each, `${path} ${each.name()}`.trim());
  };
  visit(program, '');
  return words;
}

function scriptOf(program: Command, shell: string): string | null {
  const words = wordsOf(program);
  switch (shell) {
    case 'bash':
      return bash(words);
    case 'zsh':
      return `autoload -U +X bashcompinit && bashcompinit\n${bash(words)}`;
    case 'fish':
      return fish(words);
    default:
      return null;
  }
}

function bash(words: Map<string, string[]>): string {
  const cases = [...words].map(([path, each]) => `    '${path}') words='${each.join(' ')}' ;;`);
  const kinds = namesAfter(words).map(([path, kind]) => `    '${path}') kind='${kind}' ;;`);
  return `_leveret() {
  local path='' words='' kind='' before='' word cur="\${COMP_WORDS[COMP_CWORD]}"
  local -a target=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$before" in -p|--vhost|--url|--host|--port) target+=("$before" "$word") ;; esac
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
    before="$word"
  done
  while :; do
    case "$path" in
${cases.join('\n')}
    esac
    [ -n "$words" ] || [ -z "$path" ] && break
    case "$path" in *' '*) path="\${path% *}" ;; *) path='' ;; esac
  done
  case "$path" in
${kinds.join('\n')}
  esac
  case "$before" in
    -p|--vhost) kind='vhosts' words='' ;;
    -x|--exchange) kind='exchanges' words='' ;;
  esac
  case "$cur" in -*) kind='' ;; esac
  # Only plain words come: see leveret __names.
  [ -z "$kind" ] || words="$words $(command leveret __names "$kind" "\${target[@]}" 2>/dev/null)"
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _leveret leveret
`;
}

function fish(words: Map<string, string[]>): string {
  const lines = ['complete -c leveret -f'];
  const seenOf = (path: string): string =>
    path
      .split(' ')
      .map((part) => `__fish_seen_subcommand_from ${part}`)
      .join('; and ');
  for (const [path, each] of words) {
    const condition = path === '' ? '__fish_use_subcommand' : seenOf(path);
    lines.push(`complete -c leveret -n '${condition}' -a '${each.join(' ')}'`);
  }
  for (const [path, kind] of namesAfter(words))
    lines.push(
      `complete -c leveret -n '${seenOf(path)}' -a '(leveret __names ${kind} 2>/dev/null)'`,
    );
  lines.push("complete -c leveret -s p -l vhost -x -a '(leveret __names vhosts 2>/dev/null)'");
  return `${lines.join('\n')}\n`;
}

/** The commands whose arguments are names of what is in a broker. */
const NAMES_AFTER: Readonly<Record<Named, readonly string[]>> = {
  queues:
    `purge,pause,resume,browse,delayed,get,consume,move,redrive,retry,export,drop,delete queue,delete_queue,
purge_queue,streams groups,streams readers,streams set-place,streams forget-group`
      .replaceAll('\n', '')
      .split(','),
  exchanges: ['delete exchange', 'declare binding', 'delete binding'],
  schedules: ['schedule set', 'schedule delete', 'schedule run'],
  vhosts: ['vhost delete', 'delete_vhost', 'set_vhost_tags', 'update_vhost_metadata'],
  users:
    `user delete,user password,user tags,permission set,permission clear,delete_user,change_password,
clear_password,set_user_tags,set_permissions,clear_permissions,list_user_permissions,set_user_limits,clear_user_limits`
      .replaceAll('\n', '')
      .split(','),
};

function namesAfter(words: ReadonlyMap<string, unknown>): (readonly [path: string, kind: Named])[] {
  return NAMED.flatMap((kind) =>
    NAMES_AFTER[kind].filter((path) => words.has(path)).map((path) => [path, kind] as const),
  );
}
