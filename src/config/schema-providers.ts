import { z } from 'zod';

/* Settings of providers, prices and the embedding server. */

const model = z.strictObject({
  name: z.string().min(1).describe('Name of the model there; of Azure, the deployment'),
  model: z
    .string()
    .min(1)
    .optional()
    .describe('What it is, where its name does not tell: it is priced by this'),
  aliases: z.array(z.string().min(1)).optional().describe('Other names by which clients may ask for it'),
  contextTokens: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Tokens that prompt and answer may have together'),
  hasTools: z.boolean().optional().describe('Calls tools'),
  hasImages: z.boolean().optional().describe('Reads images'),
  hasAudio: z.boolean().optional().describe('Hears sound'),
  hasFiles: z.boolean().optional().describe('Reads files such as PDFs'),
  isAutoAllowed: z.boolean().optional().describe('false keeps it out of auto'),
});

const milliseconds = z.number().int().min(1).optional();

export const provider = z
  .strictObject({
    id: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_-]{0,30}$/, 'must be lower-case letters, digits, - and _, at most 31')
      .describe('Name of the provider; the part of a model id before the first colon'),
    kind: z.enum(['ollama', 'openai', 'azure', 'anthropic']).describe('Protocol that it speaks'),
    baseUrl: z
      .url({ protocol: /^https?$/ })
      .describe('Where it listens, with /v1 for OpenAI-compatible servers'),
    apiKeyEnv: z.string().optional().describe('Environment variable that holds its key'),
    models: z
      .array(z.union([z.string().min(1), model]))
      .optional()
      .describe(
        'Models to offer, by name or with facts (docs/providers.md); all that it lists when left out',
      ),
    isLocal: z.boolean().optional().describe('Runs on hardware of yours; its models cost nothing. Ollama is'),
    priceList: z.string().optional().describe('Name under which the price list knows it, if not its id'),
    apiVersion: z
      .string()
      .regex(/^[\w.-]{1,40}$/, 'must be a version as Azure writes it, e.g. "2024-10-21", or "v1"')
      .optional()
      .describe('azure: version of the API, 2024-10-21 when left out; v1: the one without versions'),
    hasResponses: z
      .boolean()
      .optional()
      .describe('openai: takes Responses as OpenAI does; left out: known by the host'),
    maxConcurrent: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe('Calls of its models at a time; left out: no bound'),
    queueMax: z
      .number()
      .int()
      .min(0)
      .default(100)
      .describe('Calls that may wait for a free place; the next is refused'),
    queueWaitMs: z
      .number()
      .int()
      .min(1)
      .default(60_000)
      .describe('Milliseconds that a call waits for a free place'),
    retries: z
      .number()
      .int()
      .min(0)
      .max(10)
      .default(2)
      .describe('Calls after the first that failed in passing, of one request and model'),
    retryWaitMaxMs: z
      .number()
      .int()
      .min(0)
      .default(10_000)
      .describe('Milliseconds that one request waits between such calls, in sum'),
    connectTimeoutMs: milliseconds.describe('Milliseconds to reach it; left out: as in limits'),
    firstTokenTimeoutMs: milliseconds.describe('Milliseconds until a stream begins; left out: as in limits'),
    idleTimeoutMs: milliseconds.describe('Milliseconds between two pieces; left out: as in limits'),
    totalTimeoutMs: milliseconds.describe('Milliseconds for a whole answer; left out: as in limits'),
  })
  .describe('A provider of models');

export const price = z.strictObject({
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

export const embedder = z
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
