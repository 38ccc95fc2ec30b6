import { z } from 'zod';

export const cacheAnswer = z.discriminatedUnion('isOn', [
  z.object({ isOn: z.literal(false) }),
  z.object({
    isOn: z.literal(true),
    hitCount: z.number().describe('Answered by an answer of before'),
    coalescedCount: z.number().describe('Answered by the answer of an equal request that was under way'),
    missCount: z.number(),
    refreshCount: z.number().describe('The client wanted a new answer'),
    offCount: z.number().describe('Not to be cached, or the client did not want it'),
    storedCount: z.number(),
    evictedCount: z.number().describe('Gave way to others, for want of room'),
    entryCount: z.number(),
    byteCount: z.number(),
    waitingCount: z.number().describe('Requests that wait for the answer of another one now'),
    maxBytes: z.number(),
  }),
]);

/** What the cache came to since the start; who runs the gateway hands it in. */
export type CacheState = Omit<Extract<z.infer<typeof cacheAnswer>, { isOn: true }>, 'isOn'>;

export const emptiedCacheAnswer = z.object({ forgottenCount: z.number() });
