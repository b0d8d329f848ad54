// Owns what TypeScript is told of modules that load-modules.ts only loads. Never describes what they hold.

declare module 'semver';
declare module 'fastify/lib/*';
