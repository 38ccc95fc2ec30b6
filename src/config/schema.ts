import { z } from 'zod';
import { TallyrankError } from '../core/errors.ts';
import { parseDurationMs } from '../core/timeframe.ts';
import { faultsOfRule, USE_CASE_RULES_MAX } from '../core/use-case-rules.ts';

/*
 * Every setting: default, unit, range and sentence. docs/configuration.md is compared with this file by a
 * test, and `tallyrank config check` prints what it finds against it.
 */

const timeframe = z.string().refine(isTimeframe, 'must be a timeframe such as "1 week" or "P7D"');
const share = z.number().min(0).max(1);

const provider = z
  .strictObject({
    id: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_-]{0,30}$/, 'must be lower-case letters, digits, - and _, at most 31')
      .describe('Name of the provider; the part of a model id before the first colon'),
    kind: z.enum(['ollama', 'openai', 'anthropic']).describe('Protocol that it speaks'),
    baseUrl: z
      .url({ protocol: /^https?$/ })
      .describe('Where it listens, with /v1 for OpenAI-compatible servers'),
    apiKeyEnv: z.string().optional().describe('Environment variable that holds its key'),
    models: z
      .array(z.string().min(1))
      .optional()
      .describe('Models to offer; all that it lists when left out'),
    isLocal: z.boolean().optional().describe('Runs on hardware of yours; its models cost nothing. Ollama is'),
    priceList: z.string().optional().describe('Name under which the price list knows it, if not its id'),
  })
  .describe('A provider of models');

const price = z.strictObject({
  inputUsdPerMtok: z.number().min(0).describe('Dollars per million prompt tokens'),
  outputUsdPerMtok: z.number().min(0).describe('Dollars per million completion tokens'),
  cachedInputUsdPerMtok: z.number().min(0).optional().describe('Dollars per million cached prompt tokens'),
  cacheWriteUsdPerMtok: z
    .number()
    .min(0)
    .optional()
    .describe('Dollars per million tokens written to a cache'),
  requestUsd: z.number().min(0).optional().describe('Dollars added per request'),
});

const embedder = z
  .strictObject({
    kind: z
      .enum(['distilled', 'http', 'transformers'])
      .default('distilled')
      .describe('distilled: the table of the package, offline; http: a server; transformers: a local model'),
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe(
        'http: base URL; with a path such as /v1 it speaks as OpenAI does, without one as Ollama does',
      ),
    protocol: z
      .enum(['openai', 'ollama'])
      .optional()
      .describe('http: how the server speaks, where the URL does not tell'),
    model: z.string().min(1).optional().describe('http and transformers: name of the embedding model'),
    apiKeyEnv: z.string().optional().describe('http: environment variable that holds the key'),
    folder: z
      .string()
      .min(1)
      .optional()
      .describe('transformers: folder that holds the model; left out, it is fetched from the hub'),
    storesVectors: z
      .boolean()
      .optional()
      .describe(
        'Keep vectors per prompt in the store; left out: for all but the table, which is faster anew',
      ),
  })
  .superRefine(({ kind, url, model }, context) => {
    const isMissing = (path: string): void =>
      context.addIssue({ code: 'custom', path: [path], message: `is needed for kind "${kind}"` });
    if (kind === 'http' && url === undefined) isMissing('url');
    if (kind !== 'distilled' && model === undefined) isMissing('model');
  });

/** Settings of one use case; see `UseCaseSettings` of core/policy.ts. */
const useCasePolicy = z
  .strictObject({
    weights: z
      .strictObject({
        success: share.describe('Weight of the success part'),
        speed: share.describe('Weight of the speed part'),
        cost: share.describe('Weight of the cost part'),
        quality: share.describe('Weight of the quality part'),
      })
      .refine(
        ({ success, speed, cost, quality }) => Math.abs(success + speed + cost + quality - 1) < 1e-6,
        'must add up to 1',
      ),
    successMargin: share.describe('How far below the best a candidate of auto may lie in success'),
    qualityMargin: share.describe('The same for quality'),
    certainty: z
      .number()
      .min(0.5)
      .max(0.999)
      .describe('Probability with which it must lie within the margins'),
    evidenceMin: z.int().min(1).max(1_000_000).describe('Requests here before a model is more than explored'),
    latencyMaxMs: z.int().min(1).describe('Models whose 95th percentile lies above are no candidates'),
    costMaxUsd: z.number().min(0).describe('Models whose mean cost per request lies above are no candidates'),
    speedHalfMs: z.int().min(1).describe('Latency that is worth half of the speed part'),
    costHalfUsd: z.number().positive().describe('Cost per request that is worth half of the cost part'),
  })
  .partial();

const useCaseRule = z
  .strictObject({
    name: z.string().min(1).max(80).describe('Name of the rule'),
    useCase: z
      .string()
      .describe('Slug of the use case that it gives; one that no run has found exists by the rule alone'),
    when: z.strictObject({
      regex: z
        .union([z.string(), z.array(z.string()).min(1).max(10)])
        .optional()
        .describe('Occurs in the prompt, in any case; of a list, all occur. No repetition in a repetition'),
      header: z
        .strictObject({
          name: z.string().min(1).describe('Name of a request header'),
          value: z.string().optional().describe('Its whole value; left out: it is there'),
        })
        .optional()
        .describe('A request header'),
      keyId: z.string().min(1).optional().describe('The key that asks'),
      roomId: z.string().min(1).optional().describe('The room that it comes from'),
      userId: z.string().min(1).optional().describe('The user who asks'),
      tag: z.string().min(1).optional().describe('One of the tags of the request'),
    }),
  })
  .superRefine((rule, context) => {
    for (const message of faultsOfRule(rule)) context.addIssue({ code: 'custom', message });
  });

export const configSchema = z.strictObject({
  port: z.number().int().min(0).max(65_535).default(5001).describe('TCP port of HTTP API, gateway and page'),
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address to listen on; any but a loopback address needs an admin key'),
  dataDir: z.string().min(1).default('./data').describe('Folder of journal and embedded store'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least severity that is logged'),
  defaultModel: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('Model that auto takes while no model has enough evidence; null takes the order of the priors'),
  clickhouse: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/ })
        .nullable()
        .default(null)
        .describe('ClickHouse server; null starts the embedded engine in dataDir'),
      username: z.string().default('default').describe('User of the ClickHouse server'),
      database: z
        .string()
        .regex(/^\w+$/)
        .default('default')
        .describe('Database on the ClickHouse server; it must exist'),
    })
    .prefault({}),
  providers: z.array(provider).default([]).describe('Providers beside those of the environment'),
  prices: z
    .record(z.string(), price)
    .default({})
    .describe('Prices by model id, or by "provider:*"; they win over the price list'),
  exploration: z
    .strictObject({
      method: z
        .enum(['thompson', 'best-arm', 'uniform'])
        .default('thompson')
        .describe('How explored requests are shared out; best-arm stops when the best is known'),
      share: share
        .default(0.1)
        .describe('Share of auto requests that may take another model than the best to learn, at most'),
      budgetUsdPerDay: z
        .number()
        .min(0)
        .nullable()
        .default(1)
        .describe('Dollars that exploring may cost on one day (UTC) beyond the best models; null: no limit'),
      newModelRequests: z
        .number()
        .int()
        .min(0)
        .max(100_000)
        .default(20)
        .describe('Requests in a use case up to which a model has a share of its own there'),
      excludedUseCases: z
        .array(z.string().min(1))
        .max(1_000)
        .default([])
        .describe('Use cases, by slug, in which nothing is explored'),
    })
    .prefault({}),
  sessions: z
    .strictObject({
      switchMargin: z
        .number()
        .min(0)
        .max(100)
        .default(5)
        .describe('Points of the score by which another model must be better before a session changes over'),
      idleMinutes: z
        .number()
        .min(0)
        .max(1_440)
        .default(10)
        .describe(
          'Minutes without a request after which a session is free again; 0: sessions are not sticky',
        ),
    })
    .prefault({}),
  ranking: z
    .strictObject({
      timeframe: timeframe.default('30 days').describe('Window of the evidence'),
      refreshSeconds: z
        .number()
        .int()
        .min(5)
        .max(86_400)
        .default(60)
        .describe('Seconds between refreshes of the rankings while requests come in'),
      halfLife: timeframe
        .nullable()
        .default('14 days')
        .describe('Age at which evidence counts half; null: all counts alike'),
      useCases: z
        .record(z.string(), useCasePolicy)
        .default({})
        .describe('Weights, margins and ceilings by use case; "*" for those that are not named'),
    })
    .prefault({}),
  discovery: z
    .strictObject({
      schedule: z
        .string()
        .nullable()
        .default('0 4 * * 1')
        .describe('Cron pattern of the analysis, UTC; null: never'),
      timeframe: timeframe.default('30 days').describe('Window of the prompts that are analysed'),
      embedder: embedder.prefault({}),
      namingModel: z
        .string()
        .min(1)
        .nullable()
        .default(null)
        .describe('Chat model that words the names of use cases, from redacted samples; null: keywords do'),
    })
    .prefault({}),
  judge: z
    .strictObject({
      model: z
        .string()
        .min(1)
        .nullable()
        .default(null)
        .describe('Chat model that scores a sample of answers; null: nobody judges'),
      schedule: z
        .string()
        .nullable()
        .default('30 3 * * *')
        .describe('Cron pattern of the judging, UTC; null: on demand only'),
      timeframe: timeframe.default('7 days').describe('Window of the answers that are judged'),
      samplesPerDay: z
        .number()
        .int()
        .min(1)
        .max(10_000)
        .default(50)
        .describe('Answers scored and pairs compared on one day (UTC), at most'),
      budgetUsdPerDay: z
        .number()
        .min(0)
        .default(0.5)
        .describe('Dollars for judging on one day (UTC), at most; holds models whose price is known'),
      pairShare: share
        .default(0.2)
        .describe('Share of the samples that compare two answers to the same prompt, 0..1'),
      judgesItself: z
        .boolean()
        .default(false)
        .describe('Also judges answers of the same model; models prefer their own'),
    })
    .prefault({}),
  useCaseRules: z
    .array(useCaseRule)
    .max(USE_CASE_RULES_MAX)
    .default([])
    .describe('Hand-written use cases; the first rule that holds wins over the classifier'),
  privacy: z
    .strictObject({
      keepTexts: z
        .boolean()
        .default(true)
        .describe('Keep prompts and answers; false keeps hashes and numbers, and discovers nothing'),
    })
    .prefault({}),
  journal: z
    .strictObject({
      fsync: z
        .enum(['never', 'interval', 'always'])
        .default('interval')
        .describe('When rows are forced to disk; interval: each second'),
      maxMegabytes: z
        .number()
        .int()
        .min(1)
        .default(2048)
        .describe('Megabytes that may wait for the store; beyond it rows are dropped and counted'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      bodyMaxMegabytes: z
        .number()
        .min(0.001)
        .max(1024)
        .default(20)
        .describe('Largest request body in megabytes'),
      connectTimeoutMs: z.number().int().min(1).default(5_000).describe('Milliseconds to reach a provider'),
      firstTokenTimeoutMs: z
        .number()
        .int()
        .min(1)
        .default(120_000)
        .describe('Milliseconds until a stream begins; local models load in this time'),
      idleTimeoutMs: z
        .number()
        .int()
        .min(1)
        .default(60_000)
        .describe('Milliseconds between two pieces of an answer'),
      totalTimeoutMs: z.number().int().min(1).default(600_000).describe('Milliseconds for a whole answer'),
    })
    .prefault({}),
});

export type Config = z.infer<typeof configSchema>;
export type ProviderConfig = z.infer<typeof provider>;

/** What must never be printed; kept apart from {@link Config} so that a config can be logged and shown. */
export interface Secrets {
  readonly adminKey: string | null;
  readonly clickhousePassword: string | null;
  /** Key of the embedding server. */
  readonly embedderKey: string | null;
  /** By provider id. */
  readonly providerKeys: ReadonlyMap<string, string>;
}

/** Environment variables that set a value of the configuration, with the path of the setting. */
export const ENVIRONMENT: Readonly<
  Record<string, readonly [path: string, kind: 'text' | 'number' | 'boolean']>
> = {
  PORT: ['port', 'number'],
  HOST: ['host', 'text'],
  TALLYRANK_DATA_DIR: ['dataDir', 'text'],
  TALLYRANK_LOG_LEVEL: ['logLevel', 'text'],
  TALLYRANK_DEFAULT_MODEL: ['defaultModel', 'text'],
  TALLYRANK_EXPLORATION_SHARE: ['exploration.share', 'number'],
  TALLYRANK_KEEP_TEXTS: ['privacy.keepTexts', 'boolean'],
  CLICKHOUSE_URL: ['clickhouse.url', 'text'],
  CLICKHOUSE_USER: ['clickhouse.username', 'text'],
  CLICKHOUSE_DATABASE: ['clickhouse.database', 'text'],
};

/** Environment variables that are read beside those of {@link ENVIRONMENT}: secrets and providers. */
export const OTHER_ENVIRONMENT = [
  'TALLYRANK_CONFIG',
  'TALLYRANK_ADMIN_KEY',
  'CLICKHOUSE_PASSWORD',
  'OLLAMA_HOST',
  'OPENAI_API_KEY',
  'OPENAI_BASE_URL',
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_BASE_URL',
] as const;

function isTimeframe(text: string): boolean {
  try {
    return parseDurationMs(text) > 0;
  } catch (error) {
    if (error instanceof TallyrankError) return false;
    throw error;
  }
}
