// Owns which requests of the HTTP API another group of the cluster has to answer: what is in its vhosts, and changes of what the
// group main decides about. Never answers one.

import type { IncomingMessage } from 'node:http';
import { MAIN_GROUP } from '../../util/system/main-group.ts';
import type { Handler } from '../http/requests.ts';
import type { Route } from '../route.ts';
import type { ClusterView } from './cluster-view.ts';
import { HANDED_ON, type HandOn } from './hand-on.ts';

/** A route as paths are compared with it. */
interface Pattern {
  readonly method: string;
  readonly segments: readonly string[];
  /** Which of the segments is the vhost; -1: none. */
  readonly vhostAt: number;
  readonly directory: boolean;
}

/** Limits of a vhost are set by this way too, and the group main decides about them. */
const LIMITS_PATH = ['parameters', 'vhost-limits'];

/** What requests are compared with. */
export class OtherGroups {
  private readonly byFirst = new Map<string, Pattern[]>();
  private readonly own: string;
  private readonly groupOfVhost: (vhost: string) => string | null;

  /** `own`: the group of this node. `groupOfVhost`: null for a vhost that is not there. */
  constructor(
    routes: readonly Route[],
    own: string,
    groupOfVhost: (vhost: string) => string | null,
  ) {
    this.own = own;
    this.groupOfVhost = groupOfVhost;
    for (const { method, path, directory = false } of routes) {
      const segments = path.split('/').slice(1);
      const vhostAt = segments.indexOf(':vhost');
      if (vhostAt < 0 && !directory) continue;
      const first = segments[0] as string;
      const pattern = { method, segments, vhostAt, directory };
      this.byFirst.set(first, [...(this.byFirst.get(first) ?? []), pattern]);
    }
  }

  /** The group that has to answer a request for a path below `/api`; null: this one. */
  of({ method = '' }: Pick<IncomingMessage, 'method'>, path: string): string | null {
    const segments = path.split('/').slice(2);
    const wanted = method === 'HEAD' ? 'GET' : method;
    const found = this.byFirst
      .get(segments[0] ?? '')
      ?.find((pattern) => pattern.method === wanted && fits(pattern, segments));
    if (found === undefined) return null;
    const isLimit = LIMITS_PATH.every((each, i) => segments[i] === each);
    const group =
      found.directory || (isLimit && wanted !== 'GET')
        ? MAIN_GROUP
        : this.groupOfVhost(decoded(segments[found.vhostAt] ?? ''));
    return group === this.own ? null : group;
  }
}

function fits({ segments }: Pattern, given: readonly string[]): boolean {
  const length = given.at(-1) === '' ? given.length - 1 : given.length;
  if (length !== segments.length) return false;
  return segments.every((each, i) => each.startsWith(':') || each === given[i]);
}

/** A segment without its escapes; what is no text stays as it is, and names no vhost. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Has requests that another group has to answer handed on to it, and all others handled. */
export function besideOthers(
  groups: OtherGroups,
  handOn: HandOn,
  cluster: ClusterView,
  handler: Handler,
): Handler {
  return (request, response) => {
    const group = groups.of(request, handOn.pathOf(request));
    if (group === null || request.headers[HANDED_ON] !== undefined) {
      handler(request, response);
      return;
    }
    const missing = `no node is known to lead the group '${group}' of this cluster, which has to answer this`;
    handOn.pass(cluster.wayTo(group), request, response, missing, true);
  };
}
