// Owns serving the files of the web UI: those that are there when the server starts, by their names, and
// nothing else.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { streamOf } from './http/answers.ts';

/** From src/management or dist/management; the pages are not compiled. */
const UI_FOLDER = fileURLToPath(new URL('../../src/management/ui/', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
};

/** Adds a route for each file, and calls `rest` behind each. */
export async function serveFiles(app: FastifyInstance, rest: () => Promise<void>): Promise<void> {
  const kept = new Map<string, Buffer>();
  // However many ask for it, a file is in memory once.
  const read = (path: string): Buffer => {
    const bytes = kept.get(path) ?? readFileSync(path);
    kept.set(path, bytes);
    return bytes;
  };
  for (const [url, path] of files()) {
    app.get(url, async (_request, reply) => {
      const type = TYPES[extname(path)] ?? 'application/octet-stream';
      const bytes = read(path);
      reply.header('content-type', type).header('content-length', bytes.length);
      return reply.send(streamOf(bytes));
    });
    await rest();
  }
}

/** The path of each file by its URL. */
function files(): Map<string, string> {
  const found = new Map<string, string>();
  const require = createRequire(import.meta.url);
  const uplot = join(require.resolve('uplot'), '..');
  found.set('/vendor/uPlot.esm.js', join(uplot, 'uPlot.esm.js'));
  found.set('/vendor/uPlot.min.css', join(uplot, 'uPlot.min.css'));
  if (!existsSync(UI_FOLDER)) return found;
  const entries = readdirSync(UI_FOLDER, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    found.set(`/${relative(UI_FOLDER, path).split(sep).join('/')}`, path);
  }
  const index = found.get('/index.html');
  if (index !== undefined) found.set('/', index);
  return found;
}
