import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Subject } from './processes.ts';
import { prompts, requestBody } from './traffic.ts';

export interface WrkOptions {
  readonly seconds: number;
  readonly connections: number;
  /** Model asked for. */
  readonly model: string;
  readonly isStream: boolean;
}

export interface WrkResult {
  readonly perSecond: number;
  readonly requestCount: number;
  readonly seconds: number;
  /** Answers other than 2xx and broken connections. */
  readonly errorCount: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The place in a prompt where each request puts its number, so that no two are alike. */
const MARK = '@NUMBER@';

/** Loads a server with as many requests as it answers, by wrk with one thread. */
export async function runWrk(subject: Subject, options: WrkOptions): Promise<WrkResult> {
  const dir = mkdtempSync(join(tmpdir(), 'tallyrank-bench-wrk-'));
  const script = join(dir, 'load.lua');
  writeFileSync(script, luaOf(subject.headers, options));
  const args = ['-t', '1', '-c', String(options.connections), '-d', `${options.seconds}s`];
  args.push('--timeout', '20s', '-s', script, `${subject.url}/v1/chat/completions`);
  const child = spawn('wrk', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  await once(child, 'close');
  rmSync(dir, { recursive: true });
  const json = /^RESULT (.*)$/m.exec(printed)?.[1];
  if (json === undefined) throw new Error(`wrk said nothing of use: ${printed}`);
  return JSON.parse(json) as WrkResult;
}

function luaOf(headers: Readonly<Record<string, string>>, options: WrkOptions): string {
  const bodies = prompts().map((prompt) => requestBody(options.model, prompt + MARK, options.isStream));
  const halves = bodies.map((body) =>
    body
      .split(MARK)
      .map((half) => `[==[${half}]==]`)
      .join(', '),
  );
  const lines = Object.entries({ 'content-type': 'application/json', ...headers });
  return `
local halves = { ${halves.map((pair) => `{ ${pair} }`).join(',\n')} }
local headers = { ${lines.map(([name, value]) => `["${name}"] = "${value}"`).join(', ')} }
local count = 0
local salt = os.time() % 100000
function request()
  count = count + 1
  local half = halves[count % #halves + 1]
  local number = string.format("%05d%07d", salt, count)
  return wrk.format("POST", nil, headers, half[1] .. number .. half[2])
end
function done(summary, latency)
  local seconds = summary.duration / 1e6
  local e = summary.errors
  print(string.format('RESULT {"perSecond":%f,"requestCount":%d,"seconds":%f,"errorCount":%d,"p50Ms":%f,"p99Ms":%f}',
    summary.requests / seconds, summary.requests, seconds, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
`;
}
