/** What a failed call is to a program that uses the client. */
export interface Failure {
  /** The client's own word: the name of its class, or its code. */
  readonly name: string;
  readonly statusCode: number | null;
  /** The header `retry-after`, where the client shows it. */
  readonly retryAfter: string | null;
}

/** A whole answer or a piece of one. */
export interface Said {
  readonly text: string;
  /** By which the answer is known to the client; null where its protocol has none. */
  readonly responseId: string | null;
}

export interface ToolRun {
  /** What the tool was given. */
  readonly given: unknown;
  /** What the model said with the tool's result. */
  readonly text: string;
}

/** One client package in one way of use, set up with nothing but a base URL, a key, and no retries of its own. */
export interface ChatClient {
  readonly name: string;
  ask(model: string, prompt: string): Promise<Said>;
  stream(model: string, prompt: string, signal: AbortSignal): AsyncIterable<Said>;
  /** Lets the model call {@link TOOL}, and asks again with its result. */
  useTool(model: string, isStream: boolean): Promise<ToolRun>;
  /** An answer that keeps to {@link SCHEMA}, parsed by the client. */
  structured(model: string): Promise<unknown>;
  /** null: the client has no embeddings. */
  readonly embed:
    | ((model: string, texts: readonly string[]) => Promise<readonly (readonly number[])[]>)
    | null;
  failureOf(error: unknown): Failure;
  /** How it takes an unknown model, and a provider that asks to wait 30 seconds. */
  readonly failures: { readonly notFound: Failure; readonly rateLimited: Failure };
}

export const PROMPT = 'When does the coffee shop open?';

export const TOOL = {
  name: 'opening_hours',
  description: 'Hours of a shop',
  schema: {
    type: 'object',
    properties: { shop: { type: 'string' } },
    required: ['shop'],
    additionalProperties: false,
  },
  result: '8-18',
} as const;

export const SCHEMA = {
  type: 'object',
  properties: { hour: { type: 'number' } },
  required: ['hour'],
  additionalProperties: false,
} as const;

export async function collected<Piece>(stream: AsyncIterable<Piece>): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

/** The id that a streamed answer tells: in some clients not with every piece. */
export function idOf(pieces: readonly Said[]): string | null {
  return pieces.findLast(({ responseId }) => responseId !== null)?.responseId ?? null;
}

/** Fields of a thrown error, whatever it is. */
export function fieldsOf(error: unknown): Readonly<Record<string, unknown>> {
  if (typeof error !== 'object' || error === null) throw error;
  return error as Record<string, unknown>;
}

/** The error of a client that OpenAI's or Anthropic's generator made. */
export function failureOfSdk(error: unknown): Failure {
  const { status, headers } = fieldsOf(error);
  return {
    name: (error as object).constructor.name,
    statusCode: typeof status === 'number' ? status : null,
    retryAfter: headers instanceof Headers ? headers.get('retry-after') : null,
  };
}

export const SDK_FAILURES = {
  notFound: { name: 'NotFoundError', statusCode: 404, retryAfter: null },
  rateLimited: { name: 'RateLimitError', statusCode: 429, retryAfter: '30' },
} as const;
