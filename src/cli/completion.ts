// Owns the scripts that complete the words of `leveret` in a shell. They come from the commands
// themselves, so that they are never out of date.

import { Command } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** The command `leveret completion`. */
export function completionCommand(program: Command): Command {
  return new Command('completion')
    .description('Print the script that completes commands in a shell.')
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
    const names = command.commands.map((each) => each.name());
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
  return `_leveret() {
  local path='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  while :; do
    case "$path" in
${cases.join('\n')}
    esac
    [ -n "$words" ] || [ -z "$path" ] && break
    case "$path" in *' '*) path="\${path% *}" ;; *) path='' ;; esac
  done
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _leveret leveret
`;
}

function fish(words: Map<string, string[]>): string {
  const lines = ['complete -c leveret -f'];
  for (const [path, each] of words) {
    const parts = path === '' ? [] : path.split(' ');
    const seen = parts.map((part) => `__fish_seen_subcommand_from ${part}`);
    const condition = seen.length === 0 ? '__fish_use_subcommand' : seen.join('; and ');
    lines.push(`complete -c leveret -n '${condition}' -a '${each.join(' ')}'`);
  }
  return `${lines.join('\n')}\n`;
}
