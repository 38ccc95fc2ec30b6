import { z } from 'zod';

/* Settings of providers, prices and the embedding server. */

export const provider = z
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
