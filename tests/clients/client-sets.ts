import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ChatClient } from './client.ts';
import { aiSdk, langchain } from './frameworks.ts';
import { anthropicSdk, ollamaPackage, openAiChat, openAiResponses } from './official.ts';

export type Packages = typeof import('../newest/packages.ts');

/** The clients of one installation. */
export interface ClientSet {
  /** With the major of the openai package, by which the sets are told apart. */
  readonly title: string;
  /** All clients, pointed at a gateway. */
  readonly clientsOf: (url: string) => readonly ChatClient[];
}

const ROOT = join(import.meta.dirname, '..', '..');

/** Where scripts/newest-clients.js installs. */
const NEWEST = join(ROOT, 'build', 'newest');

/** The newest majors ask for it. */
const NEWEST_NODE_MAJOR = 22;

/** The clients that `npm ci` brings, of majors that run on the oldest supported Node. */
export async function floorClients(): Promise<ClientSet> {
  return toSet('majors for the oldest Node', ROOT, await import('../newest/packages.ts'));
}

/** The newest majors, or why they cannot run here. */
export async function newestClients(): Promise<ClientSet | string> {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < NEWEST_NODE_MAJOR) return `they need Node ${NEWEST_NODE_MAJOR}, and this is ${major}`;
  if (!existsSync(join(NEWEST, 'packages.ts')))
    return 'they are not installed; see scripts/newest-clients.js';
  const file = pathToFileURL(join(NEWEST, 'packages.ts')).href;
  return toSet('newest majors', NEWEST, (await import(file)) as Packages);
}

function toSet(words: string, folder: string, packages: Packages): ClientSet {
  const entry = createRequire(join(folder, 'package.json')).resolve('openai');
  const { version } = JSON.parse(readFileSync(join(entry, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return {
    title: `${words} (openai ${version})`,
    clientsOf: (url) => [
      openAiChat(packages, url),
      openAiResponses(packages, url),
      anthropicSdk(packages, url),
      ollamaPackage(packages, url),
      ...aiSdk(packages, url),
      ...langchain(packages, url),
    ],
  };
}
