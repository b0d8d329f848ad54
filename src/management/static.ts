// Owns serving the files of the web UI: those that are there when the server starts, by their names, and
// nothing else.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { streamOf } from './answers/answers.ts';
import { takesGzip, varyOf, zippedFile } from './answers/gzips.ts';

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
  const kept = new Map<string, Kept>();
  // However many ask for it, a file is in memory once, and compressed once.
  const read = (path: string): Kept => {
    const file = kept.get(path) ?? keep(path);
    kept.set(path, file);
    return file;
  };
  for (const [url, path] of files()) {
    app.get(url, async (request, reply) => {
      const type = TYPES[extname(path)] ?? 'application/octet-stream';
      const { bytes, zipped } = read(path);
      const packed = takesGzip(request.headers['accept-encoding']) ? await zipped() : null;
      const sent = packed ?? bytes;
      if (packed !== null) reply.header('content-encoding', 'gzip');
      reply.header('content-type', type).header('content-length', sent.length);
      return reply.header('vary', varyOf(reply)).send(streamOf(sent));
    });
    await rest();
  }
}

/** A file as it is, and compressed as soon as a client wants that; null where that is hardly shorter. */
interface Kept {
  readonly bytes: Buffer;
  zipped(): Promise<Buffer | null>;
}

function keep(path: string): Kept {
  const bytes = readFileSync(path);
  let zipped: Promise<Buffer | null> | null = null;
  return {
    bytes,
    zipped: () => {
      zipped ??= zippedFile(bytes);
      return zipped;
    },
  };
}

/** Where the charts' files lie: beside the bundle, or in their package where there is no bundle. */
function vendorFolder(): string {
  const bundled = fileURLToPath(new URL('./vendor/', import.meta.url));
  if (existsSync(bundled)) return bundled;
  return join(createRequire(import.meta.url).resolve('uplot'), '..');
}

/** The path of each file by its URL. */
function files(): Map<string, string> {
  const found = new Map<string, string>();
  const vendor = vendorFolder();
  for (const file of ['uPlot.esm.js', 'uPlot.min.css']) {
    found.set(`/vendor/${file}`, join(vendor, file));
  }
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
