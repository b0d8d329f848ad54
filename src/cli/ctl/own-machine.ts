// Owns the verbs of RabbitMQ's tools about the machine and its libraries, and the name of the cluster. Never asks a broker
// more than its name.

import { getCiphers, getHashes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { RABBITMQ_VERSION } from '../../util/system/rabbitmq-version.ts';
import { EXIT_UNAVAILABLE } from '../exit-codes.ts';
import { CtlError, type CtlVerb } from './ctl-verb.ts';
import { atomOf } from './show/terms.ts';

/** Names as a list of Erlang atoms. */
const atoms = (names: readonly string[]): string => `[${names.map(atomOf).join(',')}]\n`;

export const OWN_MACHINE_VERBS: readonly CtlVerb[] = [
  {
    name: 'list_ciphers',
    about: 'List the ciphers of the cryptographic library.',
    banner: () => 'Listing supported ciphers ...',
    run: () => ({ text: atoms(getCiphers()), value: getCiphers() }),
  },
  {
    name: 'cipher_suites',
    about: 'List the cipher suites of TLS.',
    lenient: true,
    banner: () => 'Listing available cipher suites in the OpenSSL format ...',
    run: async () => {
      const { getCiphers: suites } = await import('node:tls');
      const names = suites().map((name) => name.toUpperCase());
      return { text: names.map((name) => `${name}\n`).join(''), value: names };
    },
  },
  {
    name: 'tls_versions',
    about: 'List the versions of TLS.',
    run: () => ({ text: 'tlsv1.3\ntlsv1.2\n', value: ['tlsv1.3', 'tlsv1.2'] }),
  },
  {
    name: 'list_hashes',
    about: 'List the hash functions of the cryptographic library.',
    banner: () => 'Listing supported hash algorithms ...',
    run: () => ({ text: atoms(getHashes()), value: getHashes() }),
  },
  {
    name: 'version',
    about: 'Show the version of RabbitMQ that this tool behaves as.',
    run: () => `${RABBITMQ_VERSION}\n`,
  },
  {
    name: 'resolve_hostname',
    arguments: '<host>',
    about: 'Resolve the name of a host.',
    lenient: true,
    run: async ({ words: [host = ''] }) => {
      try {
        const all = await lookup(host, { all: true });
        return all.map(({ address }) => `${address}\n`).join('');
      } catch (error) {
        throw new CtlError(EXIT_UNAVAILABLE, `cannot resolve ${host}: ${(error as Error).message}`);
      }
    },
  },
  {
    name: 'list_network_interfaces',
    about: 'List the network interfaces of this machine.',
    lenient: true,
    run: () => {
      const all = Object.entries(networkInterfaces());
      return all
        .flatMap(([name, each]) => (each ?? []).map(({ address }) => `${name}\t${address}\n`))
        .join('');
    },
  },
  {
    name: 'set_cluster_name',
    arguments: '<name>',
    about: 'Set the name that tools show for the cluster.',
    banner: ({ words: [name] }) => `Setting cluster name to ${name} ...`,
    run: async ({ api, words: [name] }) => {
      await api.call('PUT', '/cluster-name', { name });
      return undefined;
    },
  },
];
