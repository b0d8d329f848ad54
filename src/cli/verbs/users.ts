// Owns the verbs for users: add_user, delete_user, change_password, clear_password, set_user_tags,
// list_users, authenticate_user, hash_password. Never hashes: the broker does.

import { Option } from 'commander';
import { UserError } from '../../util/user-error.ts';
import { takePassword } from '../password.ts';
import type { Arguments, LoneVerb, Verb } from '../verb/verb.ts';

const PASSWORD_HELP = 'Without the password it is read from standard input, or asked for.';

export const userVerbs: readonly (Verb | LoneVerb)[] = [
  {
    name: 'add_user',
    arguments: '<name> [password]',
    about: 'Create a user. It has no permissions yet.',
    more: PASSWORD_HELP,
    options: [new Option('--tags <tags>', 'Its tags, separated by commas.').argParser(splitTags)],
    done: ([name]) => `Added the user '${name}'`,
    run: async (view, [name, password], options) => {
      const tags = (options['tags'] as string[] | undefined) ?? [];
      await view.addUser({ name: String(name), tags }, await passwordOf(password));
      return undefined;
    },
  },
  {
    name: 'delete_user',
    arguments: '<name>',
    about: 'Delete a user with its permissions.',
    done: ([name]) => `Deleted the user '${name}'`,
    run: async (view, [name]) => {
      await view.deleteUser(String(name));
      return undefined;
    },
  },
  {
    name: 'change_password',
    arguments: '<name> [password]',
    about: 'Change the password of a user.',
    more: PASSWORD_HELP,
    done: ([name]) => `Changed the password of the user '${name}'`,
    run: async (view, [name, password]) => {
      await view.changePassword(String(name), await passwordOf(password));
      return undefined;
    },
  },
  {
    name: 'clear_password',
    arguments: '<name>',
    about: 'Remove the password of a user: it cannot log in with one any more.',
    done: ([name]) => `Cleared the password of the user '${name}'`,
    run: async (view, [name]) => {
      await view.clearPassword(String(name));
      return undefined;
    },
  },
  {
    name: 'set_user_tags',
    arguments: '<name> [tags...]',
    about: 'Replace the tags of a user; without tags, remove them all.',
    done: ([name, tags]) => `Set the tags of the user '${name}': ${listed(tags)}`,
    run: async (view, [name, tags]) => {
      await view.setUserTags(String(name), tags as readonly string[]);
      return undefined;
    },
  },
  {
    name: 'list_users',
    about: 'List all users with their tags.',
    run: async (view) => ({
      columns: ['user', 'tags'],
      rows: (await view.users()).map(({ name, tags }) => ({ user: name, tags })),
    }),
  },
  {
    name: 'authenticate_user',
    arguments: '<name> [password]',
    about: 'Check the password of a user; ends with 1 if it is wrong.',
    more: PASSWORD_HELP,
    run: async (view, [name, password]) => {
      if (await view.authenticates(String(name), await passwordOf(password))) return 'Success\n';
      throw new UserError(`the password is not the one of user '${name}', or there is none`);
    },
  },
  {
    name: 'hash_password',
    arguments: '[password]',
    about: 'Show the hash of a password, for a file of definitions.',
    more: PASSWORD_HELP,
    runAlone: async (main, [password]) => {
      const hash = await main.hashForDefinitions(await passwordOf(password));
      return { columns: Object.keys(hash), rows: [hash] };
    },
  },
];

function passwordOf(argument: unknown): Promise<string> {
  return takePassword(argument as string | undefined);
}

function listed(tags: Arguments): string {
  const all = tags as readonly string[];
  return all.length === 0 ? 'none' : all.join(', ');
}

function splitTags(text: string): string[] {
  return text.split(',').flatMap((tag) => (tag.trim() === '' ? [] : [tag.trim()]));
}
