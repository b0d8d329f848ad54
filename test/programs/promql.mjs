// Writes PromQL of what test/fixtures/grafana-expressions.json says that dashboards and alerts read. Never asks for data.
import { readFileSync } from 'node:fs';

export const READ = JSON.parse(
  readFileSync(new URL('../fixtures/grafana-expressions.json', import.meta.url), 'utf8'),
);
const { join } = READ;

/**
 * The expressions of one path of the metrics, joined as older and as newer dashboards do.
 * @param {'aggregated' | 'per-object' | 'detailed'} endpoint
 * @param {string} cluster what `rabbitmq_cluster` is
 * @returns {{ shows: string, query: string, moves: boolean }[]} `moves`: it is above 0 under traffic
 */
export function expressionsOf(endpoint, cluster) {
  const rates = Object.entries(READ.rates)
    .filter(([name]) => name !== 'what')
    .map(([name]) => ({ shows: `${name} per second`, rate: true, add: [name], node: true }));
  const read =
    endpoint === 'detailed' ? READ.detailed : [...READ.overview, ...rates, ...READ.alerts];
  const filter = { rabbitmq_cluster: cluster, namespace: '' };
  return join.on.flatMap((on, i) => {
    const identity = `${join.metric}${selector(
      i === 0 ? filter : { ...filter, rabbitmq_endpoint: endpoint },
    )}`;
    const joined = (name, rate) =>
      `(${rate ? `rate(${name}[60s])` : name} * on(${on}) group_left(${join.labels}) ${identity})`;
    // Without the label of the path only one instance may be looked at.
    const scope = i === 0 ? `{instance="${endpoint}"}` : '';
    return read.map((each) => ({
      shows: `${each.shows}, joined by ${on.join(' and ')}`,
      query: write(each, (name) => joined(scoped(name, scope), each.rate === true)),
      moves: each.rate === true && each.still !== true,
    }));
  });
}

/** The table of nodes: the versions, with the names of node and cluster. */
export function tableOf(cluster) {
  const filter = selector({ rabbitmq_cluster: cluster, namespace: '' });
  return `${READ.table.metric} * on(instance, job) group_left(${join.labels}) ${join.metric}${filter}`;
}

function write({ add, subtract = [], each, paired, node }, term) {
  const combined = (wrap) =>
    [add.map((name) => wrap(term(name))).join(' + '), ...subtract.map((n) => wrap(term(n)))].join(
      ' - ',
    );
  if (each === true) return combined((text) => text);
  if (paired === true) return `sum by(rabbitmq_node) (${combined((text) => text)})`;
  return combined((text) => `sum${node === true ? ' by(rabbitmq_node)' : ''}(${text})`);
}

function scoped(name, scope) {
  return `${name}${scope}`;
}

function selector(labels) {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `{${pairs.join(',')}}`;
}
