// The clients: what Debian calls their packages, which version that is, and how their program runs.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { packageVersion } from './packages.mjs';

/** Whichever JDK is there does. */
const JDK = existsSync('/usr/bin/javac') ? [] : ['default-jdk-headless'];
const JARS = ['amqp-client', 'slf4j-api', 'slf4j-nop'];
const AMQPLIB = '../../node_modules/amqplib/package.json';

const folderOf = (name) => fileURLToPath(new URL(name, import.meta.url));

/** One out of Debian's packages: the first is the library. */
const debian = (folder, packages, command) => ({
  folder: folderOf(folder),
  packages,
  version: () => packageVersion(packages[0]),
  command,
});

export const CLIENTS = {
  pika: debian('pika', ['python3-pika'], ['/usr/bin/python3', 'main.py']),
  kombu: debian('kombu', ['python3-kombu'], ['/usr/bin/python3', 'main.py']),
  celery: debian('celery', ['python3-celery'], ['/usr/bin/python3', 'main.py']),
  bunny: debian('bunny', ['ruby-bunny'], ['/usr/bin/ruby', 'main.rb']),
  'amqp-tools': debian('amqp-tools', ['amqp-tools'], ['/bin/bash', 'main.sh']),
  'php-amqplib': debian('php-amqplib', ['php-amqplib', 'php-cli'], ['/usr/bin/php', 'main.php']),
  go: debian(
    'go',
    ['golang-github-rabbitmq-amqp091-go-dev', 'golang-go'],
    // Debian's sources as they lie there, and no module fetched from anywhere.
    [
      '/usr/bin/env',
      'GO111MODULE=off',
      'GOPATH=/usr/share/gocode',
      'go',
      'run',
      'main.go',
      'http.go',
    ],
  ),
  java: debian(
    'java',
    ['librabbitmq-client-java', 'libslf4j-java', ...JDK],
    [
      '/usr/bin/java',
      '-cp',
      JARS.map((jar) => `/usr/share/java/${jar}.jar`).join(':'),
      'Main.java',
    ],
  ),
  amqplib: {
    folder: folderOf('amqplib'),
    packages: [],
    version: () => JSON.parse(readFileSync(folderOf(AMQPLIB), 'utf8')).version,
    command: [process.execPath, 'main.mjs'],
  },
};
