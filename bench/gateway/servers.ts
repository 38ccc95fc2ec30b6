import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Subject } from './processes.ts';
import { freePort, startProcess, untilAnswers } from './processes.ts';
import { completionBody, MODELS, streamBody } from './traffic.ts';

const LOOPBACK = '127.0.0.1';

/** nginx as the provider: the same answer to everybody, at once. */
export async function startNginx(command: string): Promise<Subject> {
  const dir = mkdtempSync(join(tmpdir(), 'tallyrank-bench-nginx-'));
  const port = await freePort();
  mkdirSync(join(dir, 'www'));
  writeFileSync(join(dir, 'www', 'stream.txt'), streamBody());
  const list = (names: readonly string[]): string =>
    JSON.stringify({ object: 'list', data: names.map((id) => ({ id, object: 'model' })) });
  writeFileSync(join(dir, 'www', 'models.json'), list(MODELS.map(({ name }) => name)));
  writeFileSync(join(dir, 'www', 'stream-models.json'), list(['sse']));
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; sendfile on; tcp_nopush off;
  types { } open_file_cache max=16 inactive=600s; client_body_buffer_size 256k;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  server {
    listen ${LOOPBACK}:${port} backlog=4096;
    root ${dir}/www;
    location = /v1/chat/completions { default_type application/json; return 200 '${completionBody()}'; }
    location = /stream/v1/chat/completions { error_page 405 =200 /stream.txt; try_files /stream.txt =404; }
    location = /stream.txt { default_type text/event-stream; }
    location = /v1/models { default_type application/json; try_files /models.json =404; }
    location = /stream/v1/models { default_type application/json; try_files /stream-models.json =404; }
  }
}
`,
  );
  const child = startProcess(command, ['-c', join(dir, 'nginx.conf'), '-p', dir]);
  const url = `http://${LOOPBACK}:${port}`;
  await untilAnswers(`${url}/v1/models`);
  const stop = async (): Promise<void> => {
    await child.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { name: 'upstream alone', url, pid: child.pid, headers: {}, stop };
}

export async function startPacedUpstream(): Promise<Subject> {
  return startProgram('paced upstream', './paced-upstream.js', []);
}

export async function startBareProxy(origin: string): Promise<Subject> {
  return startProgram('bare proxy', './bare-proxy.js', [origin]);
}

async function startProgram(name: string, file: string, args: readonly string[]): Promise<Subject> {
  const port = await freePort();
  const program = fileURLToPath(new URL(file, import.meta.url));
  const { pid, stop } = startProcess(process.execPath, [program, String(port), ...args]);
  const url = `http://${LOOPBACK}:${port}`;
  await untilAnswers(`${url}/`);
  return { name, url, pid, headers: {}, stop };
}

/** @param folder where `npm i @portkey-ai/gateway` was run; null when it is not there */
export async function startPortkey(folder: string, origin: string): Promise<Subject | null> {
  const program = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  if (!existsSync(program)) return null;
  const port = await freePort();
  const { pid, stop } = startProcess(process.execPath, [program, `--port=${port}`, '--headless']);
  const url = `http://${LOOPBACK}:${port}`;
  await untilAnswers(`${url}/`);
  return {
    name: 'Portkey gateway',
    url,
    pid,
    headers: {
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `${origin}/v1`,
      authorization: 'Bearer none',
    },
    stop,
  };
}

/** LiteLLM as its command starts it, without asking where the command lies. */
const LITELLM_PROGRAM = 'import sys; from litellm import run_server; sys.argv[0] = "litellm"; run_server()';
const LITELLM_IS_THERE =
  'import sys; from importlib.util import find_spec; sys.exit(not (find_spec("litellm") and find_spec("uvicorn")))';

/**
 * LiteLLM's proxy with one worker and without a database, logging errors only, as its page on production has it.
 *
 * @param python path of a Python that has `litellm[proxy]`; null when it does not, or is no Python
 */
export async function startLiteLlm(python: string, origin: string): Promise<Subject | null> {
  if (spawnSync(python, ['-c', LITELLM_IS_THERE]).status !== 0) return null;
  const dir = mkdtempSync(join(tmpdir(), 'tallyrank-bench-litellm-'));
  const port = await freePort();
  // It does not start without one.
  const key = `sk-${randomBytes(32).toString('hex')}`;
  const settings = {
    model_list: MODELS.map(({ name }) => ({
      model_name: name,
      litellm_params: { model: `openai/${name}`, api_base: `${origin}/v1`, api_key: 'none' },
    })),
    litellm_settings: { set_verbose: false, request_timeout: 600 },
    general_settings: { master_key: key },
  };
  const config = join(dir, 'config.yaml');
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(settings));
  const args = ['-c', LITELLM_PROGRAM, '--config', config, '--host', LOOPBACK];
  const child = startProcess(python, [...args, '--port', String(port), '--num_workers', '1'], {
    cwd: dir,
    env: {
      ...process.env,
      LITELLM_MODE: 'PRODUCTION',
      LITELLM_LOG: 'ERROR',
      // Its table of prices is fetched otherwise.
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
    },
  });
  const stop = async (): Promise<void> => {
    await child.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  const url = `http://${LOOPBACK}:${port}`;
  try {
    await untilAnswers(`${url}/health/liveliness`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: 'LiteLLM', url, pid: child.pid, headers: { authorization: `Bearer ${key}` }, stop };
}

/** The product as a user starts it, in a folder of its own. */
export interface Product extends Subject {
  /** Of the embedded store, which runs beside the gateway. */
  storePid(): number;
}

export async function startProduct(
  bin: string,
  upstreamUrl: string,
  pacedUrl: string,
  nodeArgs: readonly string[],
): Promise<Product> {
  const dir = mkdtempSync(join(tmpdir(), 'tallyrank-bench-'));
  const port = await freePort();
  const config = join(dir, 'tallyrank.config.yaml');
  const prices = MODELS.map(({ name, outputUsdPerMtok }) => [
    `nginx:${name}`,
    { inputUsdPerMtok: outputUsdPerMtok / 4, outputUsdPerMtok },
  ]);
  const settings = {
    port,
    logLevel: 'warn',
    providers: [
      { id: 'nginx', kind: 'openai', baseUrl: `${upstreamUrl}/v1` },
      { id: 'stream', kind: 'openai', baseUrl: `${upstreamUrl}/stream/v1` },
      { id: 'paced', kind: 'openai', baseUrl: `${pacedUrl}/v1` },
    ],
    prices: Object.fromEntries(prices),
  };
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(settings));
  const args = [...nodeArgs, bin, 'start', '--data-dir', join(dir, 'data')];
  const child = startProcess(process.execPath, args, { env: { ...process.env, TALLYRANK_CONFIG: config } });
  const url = `http://${LOOPBACK}:${port}`;
  try {
    await untilAnswers(`${url}/healthz`);
  } catch (error) {
    await child.stop();
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
  const storePid = (): number => {
    const state = readFileSync(join(dir, 'data/store/store.json'), 'utf8');
    return (JSON.parse(state) as { pid: number }).pid;
  };
  const stop = async (): Promise<void> => {
    const store = storePid();
    await child.stop();
    process.kill(store, 'SIGTERM');
    rmSync(dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  };
  return { name: 'tallyrank', url, pid: child.pid, headers: {}, stop, storePid };
}
