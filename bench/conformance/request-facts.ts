import { inputOf } from './facts.ts';

/** What a request says, in words that no protocol owns. */
export interface RequestFacts {
  /** Texts of all turns, in any order. */
  readonly texts: readonly string[];
  readonly imageCount: number;
  readonly toolNames: readonly string[];
  readonly calls: readonly { readonly name: string; readonly input: unknown }[];
  readonly tokensMax: number | null;
  readonly temperature: number | null;
}

/** All fields of the protocols that are read here. */
interface Wire {
  readonly type?: string;
  readonly role?: string;
  readonly name?: string;
  readonly text?: string;
  readonly refusal?: string;
  readonly content?: string | readonly Wire[] | null;
  readonly system?: string | readonly Wire[] | null;
  readonly instructions?: string | null;
  readonly prompt?: string | readonly string[];
  readonly messages?: readonly Wire[];
  readonly images?: readonly string[];
  readonly input?: unknown;
  readonly output?: string | readonly Wire[];
  readonly arguments?: unknown;
  readonly function?: Wire;
  readonly tool_calls?: readonly Wire[] | null;
  readonly tools?: readonly Wire[] | null;
  readonly options?: { readonly num_predict?: number; readonly temperature?: number };
  readonly max_tokens?: number | null;
  readonly max_completion_tokens?: number | null;
  readonly max_output_tokens?: number | null;
  readonly temperature?: number | null;
}

/** Reads a body of any of the protocols: their fields do not get into each other's way. */
export function factsOfRequest(body: object): RequestFacts {
  const request = body as Wire;
  // Thoughts of earlier turns are a protocol's own affair.
  const items = (Array.isArray(request.input) ? (request.input as Wire[]) : []).filter(
    (item) => item.type !== 'reasoning',
  );
  const turns: readonly Wire[] = [
    { content: request.system ?? null },
    { content: request.instructions ?? null },
    { content: [request.prompt ?? []].flat().join(''), images: request.images ?? [] },
    { content: typeof request.input === 'string' ? request.input : null },
    ...(request.messages ?? []),
    ...items,
  ];
  const parts = turns.flatMap(partsOf);
  const tokensMax =
    request.max_completion_tokens ??
    request.max_tokens ??
    request.max_output_tokens ??
    request.options?.num_predict;
  return {
    texts: parts.map((part) => part.text ?? part.refusal ?? '').filter((text) => text.trim() !== ''),
    imageCount:
      parts.filter(({ type = '' }) => /^(image|image_url|input_image)$/.test(type)).length +
      turns.reduce((sum, { images = [] }) => sum + images.length, 0),
    toolNames: (request.tools ?? [])
      .map((tool) => tool.function?.name ?? tool.name ?? tool.type ?? '')
      .sort(),
    calls: [
      ...turns.flatMap(({ tool_calls: calls }) => (calls ?? []).map((call) => call.function ?? call)),
      ...parts.filter((part) => part.type === 'tool_use'),
      ...items.filter((item) => item.type === 'function_call'),
    ].map((call) => ({ name: call.name ?? '', input: inputOf(call.arguments ?? call.input) })),
    tokensMax: tokensMax ?? null,
    temperature: request.temperature ?? request.options?.temperature ?? null,
  };
}

function partsOf({ content, output }: Wire): readonly Wire[] {
  const given = content ?? output ?? [];
  if (typeof given === 'string') return [{ type: 'text', text: given }];
  // The result of a tool holds parts of its own.
  return given.flatMap((part) => (part.type === 'tool_result' ? partsOf(part) : [part]));
}
