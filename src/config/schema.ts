import { z } from 'zod';
import { TallyrankError } from '../core/errors.ts';
import { parseDurationMs } from '../core/timeframe.ts';
import { USE_CASE_RULES_MAX } from '../core/use-case-rules.ts';
import { embedder, price, provider } from './schema-providers.ts';
import { exploration, routingRules, sessions, useCasePolicy, useCaseRule } from './schema-routing.ts';

/*
 * Every setting: default, unit, range and sentence. docs/configuration.md is compared with this file by a
 * test, and `tallyrank config check` prints what it finds against it.
 */

const timeframe = z.string().refine(isTimeframe, 'must be a timeframe such as "1 week" or "P7D"');
const share = z.number().min(0).max(1);

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
  exploration,
  sessions,
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
  routingRules: routingRules.default([]).describe('Rules that route; those set by API win over all of them'),
  privacy: z
    .strictObject({
      keepTexts: z
        .boolean()
        .default(true)
        .describe('Keep prompts and answers; false keeps hashes and numbers, and discovers nothing'),
    })
    .prefault({}),
  cache: z
    .strictObject({
      isOn: z.boolean().default(false).describe('Answer equal requests from memory'),
      ttl: timeframe.default('1 hour').describe('Age at which an answer is not given again'),
      maxMegabytes: z
        .number()
        .int()
        .min(1)
        .default(64)
        .describe('Megabytes of answers; those that were asked for longest ago go first'),
      temperatureMax: z
        .number()
        .min(0)
        .max(2)
        .default(0)
        .describe('Highest temperature whose answers are given again; a request that names none counts as 1'),
      scope: z
        .enum(['user', 'key', 'all'])
        .default('key')
        .describe('Who gets an answer again: the user who had it, all with the same key, or everybody'),
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
      keepAliveMs: z
        .number()
        .int()
        .min(0)
        .default(10_000)
        .describe('Milliseconds of silence after which a waiting stream gets a sign of life; 0: never'),
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

function isTimeframe(text: string): boolean {
  try {
    return parseDurationMs(text) > 0;
  } catch (error) {
    if (error instanceof TallyrankError) return false;
    throw error;
  }
}
