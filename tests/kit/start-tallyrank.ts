import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFailed } from 'vitest';
import type { FakeProvider } from './fake-provider.ts';
import { endStore } from './scratch-store.ts';

const ROOT = join(import.meta.dirname, '..', '..');
export const BIN = join(ROOT, 'bin', 'tallyrank.js');

/** An answer of the HTTP API as it came. */
export interface Answer {
  readonly statusCode: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown;
}

export interface StartOptions {
  /** Under these ids; written into the configuration. */
  readonly providers?: Readonly<Record<string, FakeProvider>>;
  /** Settings beside the providers. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Over an environment that says nothing of Tallyrank. */
  readonly env?: Readonly<Record<string, string>>;
  /** False: no configuration file, the environment alone. */
  readonly hasFile?: boolean;
  /** Sent as a bearer token with each call of {@link Tallyrank.ask}. */
  readonly key?: string;
}

export interface CliResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as JSON; undefined when it is not one document. */
  readonly json: unknown;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** How long a condition may take to come true: slow machines and a cold engine included. */
const UNTIL_MAX_MS = 45_000;
const UNTIL_STEP_MS = 40;

/** Waits until `probe` gives something; for facts that no event tells. A failing probe is asked again. */
export async function until<Value>(what: string, probe: () => Promise<Value | null>): Promise<Value> {
  const deadline = performance.now() + UNTIL_MAX_MS;
  let lastError: unknown = null;
  for (;;) {
    try {
      const value = await probe();
      if (value !== null) return value;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline) throw new Error(`${what} did not come true`, { cause: lastError });
    await delay(UNTIL_STEP_MS);
  }
}

/** The environment of a child: this process's, without what would configure Tallyrank; no Ollama is found. */
export function childEnvironment(given: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const ours =
    /^(PORT|HOST|OLLAMA_HOST|(TALLYRANK|OPENAI|ANTHROPIC|CLICKHOUSE|npm|VITEST)_.*|VITEST|NODE_OPTIONS)$/;
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name));
  // Port 9 (discard) refuses at once.
  return { ...Object.fromEntries(kept), OLLAMA_HOST: '127.0.0.1:9', PORT: '0', ...given };
}

/** Runs one command of the command line to its end. */
export async function runCli(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<CliResult> {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: childEnvironment(options.env),
    cwd: options.cwd ?? tmpdir(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [exitCode]] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { exitCode, stdout, stderr, json: tryJson(stdout) };
}

/**
 * The product as a user starts it: `bin/tallyrank.js start` in a process of its own, on a free port, with a
 * data folder of its own that stays when the test fails.
 */
export class Tallyrank implements AsyncDisposable {
  /** Holds configuration and data; for files of the test as well. */
  readonly dir: string;
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #key: string | null;
  #child: ChildProcess | null = null;
  #url = '';
  #stderr = '';
  #isKept = false;

  private constructor(options: StartOptions) {
    // Short: the socket's path has to fit into a hundred bytes.
    this.dir = mkdtempSync(join(tmpdir(), 'tre-'));
    this.dataDir = join(this.dir, 'data');
    this.#key = options.key ?? null;
    const file = join(this.dir, 'tallyrank.config.yaml');
    const hasFile = options.hasFile ?? true;
    if (hasFile) {
      const providers = Object.entries(options.providers ?? {}).map(([id, { kind, baseUrl }]) => ({
        id,
        kind,
        baseUrl,
        // A failure that a test queues is there to be seen.
        retries: 0,
      }));
      // JSON is YAML.
      writeFileSync(file, JSON.stringify({ logLevel: 'info', providers, ...options.config }, null, 1));
    }
    this.env = {
      TALLYRANK_DATA_DIR: this.dataDir,
      ...(hasFile ? { TALLYRANK_CONFIG: file } : {}),
      ...options.env,
    };
    try {
      onTestFailed(() => {
        this.#isKept = true;
      });
    } catch {
      // Started outside a running test (beforeAll): nobody tells of a failure.
    }
  }

  static async start(options: StartOptions = {}): Promise<Tallyrank> {
    const product = new Tallyrank(options);
    await product.#spawn();
    return product;
  }

  get url(): string {
    return this.#url;
  }

  /** Everything that was said on standard error, over all restarts. */
  get stderr(): string {
    return this.#stderr;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** One call of the HTTP API. A body that is no text or bytes is sent as JSON. */
  async ask(path: string, body?: unknown, options: AskOptions = {}): Promise<Answer> {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(this.url + path, {
      method: options.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.#key === null ? {} : { authorization: `Bearer ${this.#key}` }),
        ...options.headers,
      },
      signal: options.signal ?? null,
      ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { statusCode: response.status, headers: response.headers, text, json: tryJson(text) };
  }

  /** The JSON of a call that must succeed. */
  async get<Json>(path: string, body?: unknown, options: AskOptions = {}): Promise<Json> {
    const answer = await this.ask(path, body, options);
    if (answer.statusCode >= 300) throw new Error(`${path} answered ${answer.statusCode}: ${answer.text}`);
    return answer.json as Json;
  }

  /** A chat completion that is not streamed. */
  async chat(
    model: string,
    prompt: string,
    options: { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Answer> {
    return await this.ask(
      '/v1/chat/completions',
      { model, messages: [{ role: 'user', content: prompt }] },
      options,
    );
  }

  /** Sends all that is logged to the store, and ranks: after it, counts are exact. */
  async flush(): Promise<void> {
    await this.get('/api/rankings/refresh', undefined, { method: 'POST' });
  }

  /** Every row of the log, through the API, page by page. */
  async rows(query = ''): Promise<LoggedRow[]> {
    const rows: LoggedRow[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const at: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page: { requests: LoggedRow[]; nextCursor: string | null } = await this.get(
        `/api/requests?limit=500${query}${at}`,
      );
      rows.push(...page.requests);
      cursor = page.nextCursor;
    }
    return rows;
  }

  /** Discovers use cases and waits for the end of the job. */
  async analyze(body?: unknown): Promise<FinishedJob> {
    const { id } = await this.get<{ id: string }>('/api/analyze', body, { method: 'POST' });
    return await until(`the end of job ${id}`, async () => {
      const job = await this.get<FinishedJob>(`/api/jobs/${id}`);
      return job.status === 'running' ? null : job;
    });
  }

  /** A command of the command line on the same data. */
  async cli(...args: readonly string[]): Promise<CliResult> {
    return await runCli(args, { env: this.env, cwd: this.dir });
  }

  /** Process id of the store process, which its own file tells. */
  storePid(): number {
    const state = JSON.parse(readFileSync(join(this.dataDir, 'store', 'store.json'), 'utf8')) as {
      pid: number;
    };
    return state.pid;
  }

  /** SIGTERM. @returns the exit code */
  async stop(): Promise<number | null> {
    return await this.#end('SIGTERM');
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Starts on the same data; ended before if it runs. The port is another one. */
  async restart(): Promise<void> {
    if (this.isRunning) await this.stop();
    await this.#spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) await this.stop();
    await endStore(this.dataDir);
    if (this.#isKept) process.stderr.write(`kept: ${this.dir}\n`);
    else rmSync(this.dir, { recursive: true, force: true });
  }

  async #spawn(): Promise<void> {
    const child = spawn(process.execPath, [BIN, 'start', '--json'], {
      env: childEnvironment(this.env),
      cwd: this.dir,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    let printed = '';
    this.#url = await new Promise<string>((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
        const ready = tryJson(printed) as { url: string } | undefined;
        if (ready !== undefined) resolve(ready.url);
      });
      child.once('close', (code) =>
        reject(new Error(`It ended with ${code} before it listened: ${printed}${this.#stderr}`)),
      );
    });
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === null || !this.isRunning) return child?.exitCode ?? null;
    const closed = once(child, 'close');
    child.kill(signal);
    await closed;
    return child.exitCode;
  }
}

/** What tests read of a logged request. */
export interface LoggedRow {
  readonly requestId: string;
  readonly externalId: string | null;
  readonly responseId: string | null;
  readonly modelAsked: string;
  readonly modelId: string;
  readonly useCase: string;
  readonly prompt: string | null;
  readonly isSuccess: boolean;
  readonly isStream: boolean;
  readonly errorCode: string | null;
  readonly fault: string | null;
  readonly costUsd: number | null;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
}

export interface FinishedJob {
  readonly id: string;
  readonly status: string;
  readonly result: unknown;
  readonly error: unknown;
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
