import type { ProviderConfig } from './schema.ts';
import { provider as providerSchema } from './schema-providers.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Providers that a key in the environment is enough for. All speak OpenAI's protocol. */
const WELL_KNOWN = [
  { id: 'openrouter', key: 'OPENROUTER_API_KEY', baseUrl: 'https://openrouter.ai/api/v1' },
  { id: 'groq', key: 'GROQ_API_KEY', baseUrl: 'https://api.groq.com/openai/v1' },
  { id: 'mistral', key: 'MISTRAL_API_KEY', baseUrl: 'https://api.mistral.ai/v1' },
  { id: 'deepseek', key: 'DEEPSEEK_API_KEY', baseUrl: 'https://api.deepseek.com/v1' },
  {
    id: 'gemini',
    key: 'GEMINI_API_KEY',
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai',
    priceList: 'google',
  },
] as const;

/** Keys that the environment holds, by the id of their provider. */
export function keysOf(env: Environment): Map<string, string> {
  const named = [
    ['openai', 'OPENAI_API_KEY'],
    ['anthropic', 'ANTHROPIC_API_KEY'],
    ['azure', 'AZURE_OPENAI_API_KEY'],
    ...WELL_KNOWN.map(({ id, key }) => [id, key] as const),
  ] as const;
  const keys = new Map<string, string>();
  for (const [id, name] of named) {
    const key = env[name];
    if (key) keys.set(id, key);
  }
  return keys;
}

/** The providers that the environment alone names. What is wrong with it is added to `faults`. */
export function providersOf(env: Environment, faults: string[]): ProviderConfig[] {
  const found: Record<string, unknown>[] = [
    { id: 'ollama', kind: 'ollama', baseUrl: ollamaUrl(env['OLLAMA_HOST'], faults), isLocal: true },
  ];
  const add = (id: 'openai' | 'anthropic', name: string, usual: string): void => {
    found.push({ id, kind: id, baseUrl: urlOf(name, env[name] || usual, faults) });
  };
  if (env['OPENAI_API_KEY'] || env['OPENAI_BASE_URL']) {
    add('openai', 'OPENAI_BASE_URL', 'https://api.openai.com/v1');
  }
  if (env['ANTHROPIC_API_KEY'] || env['ANTHROPIC_BASE_URL']) {
    add('anthropic', 'ANTHROPIC_BASE_URL', 'https://api.anthropic.com');
  }
  const endpoint = env['AZURE_OPENAI_ENDPOINT'];
  if (env['AZURE_OPENAI_API_KEY'] && endpoint) {
    const baseUrl = urlOf('AZURE_OPENAI_ENDPOINT', endpoint, faults);
    found.push({ id: 'azure', kind: 'azure', baseUrl });
  }
  for (const { key, ...known } of WELL_KNOWN) if (env[key]) found.push({ kind: 'openai', ...known });
  // A URL that is none is among the faults already.
  return found.flatMap((one) => providerSchema.safeParse(one).data ?? []);
}

/** OLLAMA_HOST as Ollama itself reads it: host, host:port or URL; 0.0.0.0 is where it listens, not where it is. */
function ollamaUrl(host: string | undefined, faults: string[]): string {
  if (!host) return 'http://127.0.0.1:11434';
  const whole = /^https?:\/\//.test(host) ? host : `http://${host}`;
  const url = urlOf('OLLAMA_HOST', whole.replace('//0.0.0.0', '//127.0.0.1'), faults);
  const isPortless = /^http:\/\/(\[[^\]]*\]|[^:/]+)\/?$/.test(url);
  return isPortless ? `${url.replace(/\/$/, '')}:11434` : url;
}

function urlOf(name: string, text: string, faults: string[]): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  faults.push(`${name}: "${text}" is not an http(s) URL`);
  return text;
}
