import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { CastModel } from './cast.ts';
import { modelIdOf } from './cast.ts';

export interface ProviderAddress {
  readonly id: string;
  readonly kind: string;
  readonly baseUrl: string;
}

/** The product as a user starts it: its own process, on a free port, with a folder of its own. */
export class Product {
  readonly url: string;
  readonly #dir: string;
  readonly #end: () => Promise<void>;
  readonly #agent = new Agent({ connections: 512, headersTimeout: 300_000, bodyTimeout: 300_000 });

  private constructor(url: string, dir: string, end: () => Promise<void>) {
    this.url = url;
    this.#dir = dir;
    this.#end = end;
  }

  static async start(
    bin: string,
    cast: readonly CastModel[],
    providers: readonly ProviderAddress[],
  ): Promise<Product> {
    const dir = mkdtempSync(join(tmpdir(), 'tallyrank-replay-'));
    const file = join(dir, 'tallyrank.config.yaml');
    const paid = cast.filter((model) => model.outputUsdPerMtok > 0);
    const prices = paid.map(({ inputUsdPerMtok, outputUsdPerMtok, ...model }) => [
      modelIdOf({ ...model, inputUsdPerMtok, outputUsdPerMtok }),
      { inputUsdPerMtok, outputUsdPerMtok },
    ]);
    // JSON is YAML.
    writeFileSync(
      file,
      JSON.stringify({ port: 0, logLevel: 'warn', providers, prices: Object.fromEntries(prices) }),
    );
    const child = spawn(process.execPath, [bin, 'start', '--json', '--data-dir', join(dir, 'data')], {
      env: { ...process.env, TALLYRANK_CONFIG: file },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let printed = '';
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
        const found = /"url": "([^"]+)"/.exec(printed)?.[1];
        if (found !== undefined) resolve(found);
      });
      exited.then(() => reject(new Error(`The product ended before it listened: ${printed}`)), reject);
    });
    return new Product(url, dir, async () => {
      child.kill('SIGTERM');
      await exited;
    });
  }

  async call(path: string, body?: unknown, method = body === undefined ? 'GET' : 'POST'): Promise<Answer> {
    const {
      statusCode,
      headers,
      body: answer,
    } = await request(this.url + path, {
      method,
      dispatcher: this.#agent,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    return { statusCode, headers, json: text === '' ? null : (JSON.parse(text) as unknown) };
  }

  /** The answer's JSON. @throws when the status is not 2xx */
  async ask<Json>(path: string, body?: unknown): Promise<Json> {
    const { statusCode, json } = await this.call(path, body);
    if (statusCode >= 300) throw new Error(`${path} answered ${statusCode}: ${JSON.stringify(json)}`);
    return json as Json;
  }

  async stop(): Promise<void> {
    await this.#agent.close();
    await this.#end();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

export interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly json: unknown;
}
