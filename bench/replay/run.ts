import { parseArgs } from 'node:util';
import { createRandom, type Random } from '../../src/stats/random.ts';
import { FakeProvider } from '../../tests/kit/fake-provider.ts';
import { CAST, type CastModel, modelIdOf, promptTokensOf } from './cast.ts';
import { DataMissing, type KnownPrompt, readLatencies, readPrompts } from './data.ts';
import type { AnalysisAnswer, Phase, Ranking, SentRequest } from './facts.ts';
import { Product } from './product.ts';
import { printReport } from './report.ts';

/*
 * The product's main job on real prompts: phase one calls every model by name in a mix that favours the
 * dearest; the product learns outcomes from feedback and re-asks alone, analyzes and ranks; phase two asks
 * for `auto`. Outcomes are RouterDC's, latencies LLMPerf's, prices invented.
 */

const HELP = `npm run replay -- --data FOLDER [--prompts 6000] [--seed 1] [--concurrency 160] [--latency-scale 1]
  --data FOLDER         folder of routing_prompts, routing_outcomes_routerdc and latency_llmperf2023 (.jsonl.gz)
  --prompts N           prompts of each phase
  --seed N              of the sample, the mix, the latencies and the feedback
  --concurrency N       requests under way at once
  --latency-scale X     multiplies the providers' latencies`;

/** Share of the requests whose user says how well the answer served. */
const FEEDBACK_SHARE = 0.2;
/** Below this outcome half of the users ask again. */
const BAD_OUTCOME = 0.5;
const RE_ASK_SHARE = 0.5;

interface Replay {
  readonly product: Product;
  readonly random: Random;
  readonly concurrency: number;
  /** Milliseconds that a provider took for its last call, by the text of the prompt. */
  readonly upstreamMs: Map<string, number>;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      prompts: { type: 'string', default: '6000' },
      seed: { type: 'string', default: '1' },
      concurrency: { type: 'string', default: '160' },
      'latency-scale': { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || values.data === undefined) {
    console.log(HELP);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const random = createRandom(Number(values.seed));
  const prompts = readPrompts(values.data);
  random.shuffle(prompts);
  const size = Math.min(Number(values.prompts), Math.floor(prompts.length / 2));
  const upstreamMs = new Map<string, number>();
  const latencies = readLatencies(values.data);
  const fakes = await startProviders(random, latencies, Number(values['latency-scale']), upstreamMs);
  const bin = new URL('../../../bin/tallyrank.js', import.meta.url).pathname;
  const addresses = fakes.map(({ id, fake }) => ({ id, kind: fake.kind, baseUrl: fake.baseUrl }));
  const product = await Product.start(bin, CAST, addresses);
  const replay: Replay = { product, random, concurrency: Number(values.concurrency), upstreamMs };
  try {
    say(`Phase one: ${size} prompts to models by name …`);
    const before = await runPhase(replay, prompts.slice(0, size), () => drawModel(random));
    say('Analyzing and ranking …');
    const analysis = await analyze(product);
    const { rankings } = await product.ask<{ rankings: readonly Ranking[] }>('/api/rankings');
    say(`Phase two: ${size} other prompts to auto …`);
    const after = await runPhase(replay, prompts.slice(size, 2 * size), () => null);
    // Ranks once more, and with it ships every row, so that the store can be counted.
    await product.ask('/api/rankings/refresh', {});
    await printReport({ product, before, after, analysis, rankings, seed: Number(values.seed) });
  } finally {
    await product.stop();
    for (const { fake } of fakes) await fake[Symbol.asyncDispose]();
  }
}

interface NamedFake {
  readonly id: string;
  readonly fake: FakeProvider;
}

async function startProviders(
  random: Random,
  latencies: ReadonlyMap<string, readonly number[]>,
  scale: number,
  upstreamMs: Map<string, number>,
): Promise<NamedFake[]> {
  const ids = [...new Set(CAST.map(({ provider }) => provider))];
  return Promise.all(
    ids.map(async (id) => {
      const models = CAST.filter(({ provider }) => provider === id);
      const kind = models[0]?.kind ?? 'openai';
      const fake = await FakeProvider.open({
        kind,
        models: models.map(({ name }) => name),
        reply: (call) => {
          const model = models.find(({ name }) => name === call.model);
          if (!model) throw new Error(`nobody plays ${call.model}`);
          const measured = latencies.get(model.latencyOf) ?? [];
          const delayMs = (measured[random.int(measured.length)] ?? 1_000) * scale;
          upstreamMs.set(call.prompt, delayMs);
          const usage = {
            promptTokens: promptTokensOf(call.prompt),
            completionTokens: model.answerTokens,
          };
          return { text: `An answer of ${model.name}.`, delayMs, usage };
        },
      });
      return { id, fake };
    }),
  );
}

/** Runs the prompts of a phase with bounded concurrency; each worker is one user after another. */
async function runPhase(
  replay: Replay,
  prompts: readonly KnownPrompt[],
  choose: () => CastModel | null,
): Promise<Phase> {
  const requests: SentRequest[] = [];
  let feedbackCount = 0;
  let failedCount = 0;
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < prompts.length; at = next++) {
      const prompt = prompts[at];
      if (prompt === undefined) return;
      const asked = choose();
      const sessionId = `session-${prompt.id}`;
      const first = await send(replay, prompt, asked, sessionId, false);
      if (first === null) {
        failedCount++;
        continue;
      }
      requests.push(first.sent);
      if (replay.random.next() < FEEDBACK_SHARE) {
        feedbackCount++;
        const score = 1 + 4 * first.sent.outcome;
        await replay.product.ask('/api/feedback', { requestId: first.requestId, score });
      }
      if (first.sent.outcome < BAD_OUTCOME && replay.random.next() < RE_ASK_SHARE) {
        const again = await send(replay, prompt, asked, sessionId, true);
        if (again === null) failedCount++;
        else requests.push(again.sent);
      }
    }
  };
  await Promise.all(Array.from({ length: replay.concurrency }, worker));
  return { requests, feedbackCount, failedCount };
}

async function send(
  replay: Replay,
  prompt: KnownPrompt,
  asked: CastModel | null,
  sessionId: string,
  isReAsk: boolean,
): Promise<{ readonly sent: SentRequest; readonly requestId: string } | null> {
  const startedAtMs = performance.now();
  const { statusCode, headers } = await replay.product.call('/v1/chat/completions', {
    model: asked === null ? 'auto' : modelIdOf(asked),
    messages: [{ role: 'user', content: prompt.prompt }],
    user: `user-${prompt.id.length % 7}`,
    metadata: { session_id: sessionId },
  });
  const tookMs = performance.now() - startedAtMs;
  const modelId = headers['x-tallyrank-model'];
  const model = CAST.find((candidate) => modelIdOf(candidate) === modelId);
  const requestId = headers['x-request-id'];
  if (statusCode !== 200 || !model || typeof requestId !== 'string') return null;
  const outcome = prompt.outcomes.get(model.outcomeName) ?? 0;
  const costUsd = Number(headers['x-tallyrank-cost-usd'] ?? Number.NaN);
  const addedLatencyMs = tookMs - (replay.upstreamMs.get(prompt.prompt) ?? Number.NaN);
  return { sent: { prompt, model, outcome, costUsd, addedLatencyMs, isReAsk }, requestId };
}

function drawModel(random: Random): CastModel {
  let at = random.next();
  for (const model of CAST) {
    at -= model.share;
    if (at < 0) return model;
  }
  return CAST[0] as CastModel;
}

async function analyze(product: Product): Promise<AnalysisAnswer> {
  let job = await product.ask<{ id: string; status: string; result: AnalysisAnswer; error: unknown }>(
    '/api/analyze',
    {},
  );
  while (job.status === 'running') {
    await new Promise((resolve) => setTimeout(resolve, 500));
    job = await product.ask(`/api/jobs/${job.id}`);
  }
  if (job.status !== 'done') throw new Error(`The analysis failed: ${JSON.stringify(job.error)}`);
  return job.result;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(
    `${error instanceof DataMissing ? error.message : String(error instanceof Error ? error.stack : error)}\n`,
  );
  process.exitCode = error instanceof DataMissing ? 2 : 1;
});
