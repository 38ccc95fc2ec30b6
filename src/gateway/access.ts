import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { TallyrankError } from '../core/errors.ts';

/** Paths that answer without a key: health for load balancers, and the page that asks for the key. */
const OPEN_PATHS: ReadonlySet<string> = new Set([
  '/',
  '/page.js',
  '/page.css',
  '/healthz',
  '/readyz',
  '/health/liveliness',
  '/health/liveness',
  '/health/readiness',
]);

const LOOPBACK_HOST = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/i;

/**
 * Who may come in. With an admin key, everything but health and the empty page needs it, as a bearer token,
 * `x-api-key` or `api-key`. Without one the server listens on loopback only, and a Host header that is not
 * a loopback name is refused: a web page elsewhere could otherwise reach it by a name it rebinds (DNS rebinding).
 */
export function guardAccess(server: FastifyInstance, adminKey: string | null): void {
  const digest = adminKey === null ? null : sha256(adminKey);
  server.addHook('onRequest', (request, _reply, done) => {
    done(refusalOf(request, digest) ?? undefined);
  });
}

function refusalOf(request: FastifyRequest, digest: Buffer | null): TallyrankError | null {
  if (digest === null) {
    if (LOOPBACK_HOST.test(request.headers.host ?? '')) return null;
    return new TallyrankError(
      'forbidden',
      'This server answers to localhost only; set TALLYRANK_ADMIN_KEY and HOST to open it.',
    );
  }
  if (OPEN_PATHS.has(request.url.split('?', 1)[0] ?? '')) return null;
  const given = keyOf(request);
  if (given === null) {
    return new TallyrankError('unauthorized', 'This server needs a key: send "Authorization: Bearer <key>".');
  }
  // Digests have one length, so the comparison tells nothing about the key's.
  if (timingSafeEqual(sha256(given), digest)) return null;
  return new TallyrankError('unauthorized', 'The key is not valid.');
}

function keyOf(request: FastifyRequest): string | null {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const named = request.headers['x-api-key'] ?? request.headers['api-key'];
  return bearer ?? (typeof named === 'string' ? named : null);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
