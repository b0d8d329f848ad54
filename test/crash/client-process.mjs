// The processes of publishers and consumers, as the supervisor of the crash test asks them, and what they noted. Never judges.
import { readFileSync } from 'node:fs';

/** A publisher or consumer process, asked over IPC. */
export class ClientProcess {
  constructor(name, child, incidents) {
    this.name = name;
    this.child = child;
    this.asked = 0;
    this.waiting = new Map();
    child.on('message', ({ id, answer, incident }) => {
      if (incident !== undefined) incidents.push({ rule: 'I11', text: incident });
      this.waiting.get(id)?.resolve(answer);
      this.waiting.delete(id);
    });
    child.on('exit', (code, signal) => {
      this.exit = new Error(`${name} ended: code ${code}, signal ${signal}`);
      for (const { reject } of this.waiting.values()) reject(this.exit);
    });
  }

  ask(message) {
    if (this.exit !== undefined) return Promise.reject(this.exit);
    const id = ++this.asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.child.send({ id, ...message });
    });
  }
}

/** Asks all of them the same at once. */
export function askAll(clients, message) {
  return Promise.all(clients.map((client) => client.ask(message)));
}

/** What a process has noted and flushed. */
export function readJournal(path) {
  const text = readFileSync(path, 'utf8');
  return text === '' ? [] : JSON.parse(`[${text.trimEnd().replaceAll('\n', ',')}]`);
}
