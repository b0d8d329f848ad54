// Owns the window on a broker that runs: what verbs need, over its HTTP API. Never checks what the
// broker checks.

import { UserError } from '../../util/user-error.ts';
import { type HttpApi, part } from './http-api.ts';
import type { VerbView } from './verb.ts';

type Json = Readonly<Record<string, unknown>>;

/** A user as the API shows it. */
interface ShownUser extends Json {
  readonly name: string;
  readonly tags: readonly string[];
}

/** The parts of the API that layers of policies have. */
const LAYER_PATHS = { policy: 'policies', operator_policy: 'operator-policies' } as const;

/** What the parts of the window share. */
class Remote {
  readonly api: HttpApi;

  constructor(api: HttpApi) {
    this.api = api;
  }

  async call(method: string, path: string, body?: unknown): Promise<undefined> {
    await this.api.call(method, path, body);
    return undefined;
  }

  list(kind: string, vhost?: string): Promise<never> {
    return this.api.get(vhost === undefined ? `/${kind}` : `/${kind}/${part(vhost)}`);
  }

  /** A list in a vhost, which has to be there; without one, of all. */
  ofVhost(kind: string, vhost?: string): Promise<never> {
    return this.api.get(vhost === undefined ? `/${kind}` : `/vhosts/${part(vhost)}/${kind}`);
  }

  user(name: string): Promise<ShownUser> {
    return this.api.get(`/users/${part(name)}`);
  }

  async requireNew(path: string, what: string): Promise<void> {
    if (await this.api.has(path)) throw new UserError(`there is ${what} already`);
  }

  async limits(path: string): Promise<Json> {
    const [row] = await this.api.get<{ value: Json }[]>(path);
    return row?.value ?? {};
  }

  /** Sets all limits: those not given go. */
  async setLimits(path: string, wanted: Json): Promise<undefined> {
    for (const name of Object.keys(await this.limits(path))) {
      if (wanted[name] === undefined) await this.call('DELETE', `${path}/${part(name)}`);
    }
    for (const [name, value] of Object.entries(wanted)) {
      await this.call('PUT', `${path}/${part(name)}`, { value });
    }
    return undefined;
  }
}

interface PermissionInput {
  readonly user: string;
  readonly vhost: string;
}

/** Makes the window. Its rows are those of the API, which have RabbitMQ's names as all rows do. */
export function remoteView(api: HttpApi): VerbView {
  const remote = new Remote(api);
  return {
    ...userView(remote),
    ...permissionView(remote),
    ...vhostView(remote),
    ...topologyView(remote),
    ...policyView(remote),
  };
}

type Part<K extends keyof VerbView> = Pick<VerbView, K>;

function userView(
  remote: Remote,
): Part<
  | 'users'
  | 'existingUser'
  | 'addUser'
  | 'deleteUser'
  | 'changePassword'
  | 'clearPassword'
  | 'setUserTags'
  | 'authenticates'
  | 'userLimits'
  | 'setUserLimits'
> {
  const put = (name: string, body: Json): Promise<undefined> =>
    remote.call('PUT', `/users/${part(name)}`, body);
  return {
    users: () => remote.list('users'),
    existingUser: async (name) => (await remote.user(name)).name,
    addUser: async ({ name, tags }, password) => {
      await remote.requireNew(`/users/${part(name)}`, `a user '${name}'`);
      await put(name, { password, tags });
    },
    deleteUser: (name) => remote.call('DELETE', `/users/${part(name)}`),
    changePassword: async (name, password) => {
      const { tags } = await remote.user(name);
      await put(name, { password, tags });
    },
    clearPassword: async (name) => {
      const { tags } = await remote.user(name);
      return put(name, { password_hash: '', tags });
    },
    setUserTags: async (name, tags) => {
      const { password_hash, hashing_algorithm } = await remote.user(name);
      return put(name, { password_hash, hashing_algorithm, tags });
    },
    authenticates: (name, password) => remote.api.admits(name, password),
    userLimits: async (name) => {
      await remote.user(name);
      return remote.limits(`/user-limits/${part(name)}`);
    },
    setUserLimits: (name, wanted) => remote.setLimits(`/user-limits/${part(name)}`, wanted),
  };
}

function permissionView(
  remote: Remote,
): Part<
  | 'permissions'
  | 'setPermission'
  | 'clearPermission'
  | 'topicPermissions'
  | 'setTopicPermission'
  | 'clearTopicPermission'
> {
  const put = (kind: string, { user, vhost, ...body }: PermissionInput): Promise<undefined> =>
    remote.call('PUT', `/${kind}/${part(vhost)}/${part(user)}`, body);
  return {
    permissions: (vhost) => remote.ofVhost('permissions', vhost),
    setPermission: (given) => put('permissions', given),
    clearPermission: (name, vhost) =>
      remote.call('DELETE', `/permissions/${part(vhost)}/${part(name)}`),
    topicPermissions: (vhost) => remote.ofVhost('topic-permissions', vhost),
    setTopicPermission: (given) => put('topic-permissions', given),
    clearTopicPermission: async (name, vhost, exchange) => {
      const query = exchange === undefined ? '' : `?exchange=${part(exchange)}`;
      return remote.call('DELETE', `/topic-permissions/${part(vhost)}/${part(name)}${query}`);
    },
  };
}

function vhostView(
  remote: Remote,
): Part<'vhosts' | 'addVhost' | 'changeVhost' | 'deleteVhost' | 'vhostLimits' | 'setVhostLimits'> {
  return {
    vhosts: () => remote.list('vhosts'),
    addVhost: async (name, { defaultQueueType, ...metadata }) => {
      await remote.requireNew(`/vhosts/${part(name)}`, `a vhost '${name}'`);
      const type = defaultQueueType == null ? {} : { default_queue_type: defaultQueueType };
      await remote.call('PUT', `/vhosts/${part(name)}`, { ...metadata, ...type });
    },
    changeVhost: async (name, metadata) => {
      await remote.api.get(`/vhosts/${part(name)}`);
      await remote.call('PUT', `/vhosts/${part(name)}`, metadata);
    },
    deleteVhost: (name) => remote.call('DELETE', `/vhosts/${part(name)}`),
    vhostLimits: (name) => remote.limits(`/vhost-limits/${part(name)}`),
    setVhostLimits: (name, wanted) => remote.setLimits(`/vhost-limits/${part(name)}`, wanted),
  };
}

function topologyView(
  remote: Remote,
): Part<'queues' | 'exchanges' | 'bindings' | 'deleteQueue' | 'purgeQueue'> {
  const ready = async (path: string): Promise<number> =>
    (await remote.api.get<{ messages_ready: number }>(path)).messages_ready;
  return {
    queues: (vhost) => remote.list('queues', vhost),
    exchanges: (vhost) => remote.list('exchanges', vhost),
    bindings: (vhost) => remote.list('bindings', vhost),
    deleteQueue: async (vhost, name, { ifUnused = false, ifEmpty = false }) => {
      const path = `/queues/${part(vhost)}/${part(name)}`;
      const count = await ready(path);
      await remote.call('DELETE', `${path}?if-unused=${ifUnused}&if-empty=${ifEmpty}`);
      return count;
    },
    purgeQueue: async (vhost, name) => {
      const path = `/queues/${part(vhost)}/${part(name)}`;
      const count = await ready(path);
      await remote.call('DELETE', `${path}/contents`);
      return count;
    },
  };
}

function policyView(
  remote: Remote,
): Part<
  | 'policies'
  | 'setPolicy'
  | 'clearPolicy'
  | 'parameters'
  | 'setParameter'
  | 'clearParameter'
  | 'globalParameters'
  | 'setGlobalParameter'
  | 'clearGlobalParameter'
  | 'exportDefinitions'
  | 'importDefinitions'
> {
  return {
    policies: (layer, vhost) => remote.list(LAYER_PATHS[layer], vhost),
    setPolicy: (layer, vhost, name, { applyTo, ...body }) =>
      remote.call('PUT', `/${LAYER_PATHS[layer]}/${part(vhost)}/${part(name)}`, {
        ...body,
        'apply-to': applyTo,
      }),
    clearPolicy: (layer, vhost, name) =>
      remote.call('DELETE', `/${LAYER_PATHS[layer]}/${part(vhost)}/${part(name)}`),
    parameters: async (vhost) => {
      await remote.api.get(`/vhosts/${part(vhost)}`);
      const all = await remote.api.get<{ vhost: string }[]>('/parameters');
      return all.filter((each) => vhost === undefined || each.vhost === vhost) as never;
    },
    setParameter: async ({ vhost, component, name, value }) => {
      const path = `/parameters/${part(component)}/${part(vhost)}/${part(name)}?report=true`;
      const answer = await remote.api.call('PUT', path, { value });
      const { warnings = [] } = (answer ?? {}) as { readonly warnings?: readonly string[] };
      return warnings[0] ?? null;
    },
    clearParameter: (vhost, component, name) =>
      remote.call('DELETE', `/parameters/${part(component)}/${part(vhost)}/${part(name)}`),
    globalParameters: () => remote.list('global-parameters'),
    setGlobalParameter: (name, value) =>
      remote.call('PUT', `/global-parameters/${part(name)}`, { value }),
    clearGlobalParameter: (name) => remote.call('DELETE', `/global-parameters/${part(name)}`),
    exportDefinitions: (vhost) => remote.list('definitions', vhost),
    importDefinitions: async (json, { vhost, skipUnsupported = false } = {}) => {
      const path = vhost === undefined ? '/definitions' : `/definitions/${part(vhost)}`;
      const query = `?report=true&skip_unsupported=${skipUnsupported}`;
      const answer = await remote.api.call('POST', path + query, json);
      const { warnings = [] } = (answer ?? {}) as { readonly warnings?: readonly string[] };
      return warnings;
    },
  };
}
