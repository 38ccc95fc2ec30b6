import { readFile } from 'node:fs/promises';
import type { ApiServer } from './server-type.ts';

/** What the page may do: its own scripts and calls to this server, nothing from elsewhere. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILES = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
] as const;

/** The page at `/`. It holds no data: it asks the API like any other client. */
export function mountPage(api: ApiServer): void {
  for (const [path, file, type] of FILES) {
    const content = readFile(new URL(`./page/${file}`, import.meta.url), 'utf8');
    // Read at start and awaited at the first request; a package without the file says so there.
    content.catch(() => undefined);
    api.get(path, { schema: { hide: true } }, async (_request, reply) =>
      reply
        .headers({
          'content-security-policy': CONTENT_SECURITY_POLICY,
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'cache-control': 'no-cache',
        })
        .type(type)
        .send(await content),
    );
  }
}
