import type { FastifyReply, FastifyRequest } from 'fastify';
import { TallyrankError } from '../core/errors.ts';
import { isAutoName } from '../core/policy.ts';
import { NO_TOKEN_USAGE } from '../core/usage-record.ts';
import { withEstimatedTokens } from '../tracker/token-estimate.ts';
import { toHeaderWord } from './answer-headers.ts';
import type { ChatRequest } from './chat.ts';
import type { ProviderSource } from './deps.ts';
import { parseMessagesRequest } from './protocols/anthropic/client-request.ts';
import { toFieldsList } from './protocols/fields.ts';
import { stringifyRequest } from './protocols/json-body.ts';
import { isImagePart, textOfMessage } from './protocols/parts.ts';

/** What Anthropic takes for its largest images; ours are not looked into. */
const TOKENS_PER_IMAGE = 1_600;

/**
 * Anthropic's `count_tokens`: counted by the model's own provider where it can, else estimated as the record of a
 * request without usage is. The header `x-tallyrank-token-count` says which: `provider` or `estimate`. Nothing is
 * logged, for no model answers.
 *
 * @throws {TallyrankError} `bad_request`, `unknown_model`, `ambiguous_model`, `upstream_*`
 */
export async function answerTokenCount(
  providers: ProviderSource,
  http: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const source = parseMessagesRequest(http.body as Buffer, http.headers, true);
  const { request } = source;
  void reply.type('application/json; charset=utf-8');
  if (!isAutoName(request.model)) {
    const model = providers.catalog.resolve(request.model);
    const provider = providers.provider(model.provider);
    void reply.header('x-tallyrank-model', toHeaderWord(model.modelId));
    if (provider?.countTokens !== undefined) {
      const body = await provider.countTokens(source, model.name, signalOf(reply));
      return reply.header('x-tallyrank-token-count', 'provider').send(body);
    }
  }
  const body = JSON.stringify({ input_tokens: await estimate(request) });
  return reply.header('x-tallyrank-token-count', 'estimate').send(body);
}

async function estimate(request: ChatRequest): Promise<number> {
  let imageCount = 0;
  const texts: string[] = request.tools ? [stringifyRequest(request.tools)] : [];
  for (const message of request.messages) {
    texts.push(textOfMessage(message));
    if (message.tool_calls !== undefined) texts.push(stringifyRequest(message.tool_calls));
    imageCount += toFieldsList(message.content).filter(isImagePart).length;
  }
  const usage = await withEstimatedTokens(NO_TOKEN_USAGE, texts.join('\n'), null);
  return (usage.promptTokens ?? 0) + imageCount * TOKENS_PER_IMAGE;
}

function signalOf(reply: FastifyReply): AbortSignal {
  const cancellation = new AbortController();
  reply.raw.once('close', () => {
    if (reply.raw.writableFinished) return;
    const text = 'The caller closed the connection before the answer ended.';
    cancellation.abort(new TallyrankError('caller_cancelled', text));
  });
  return cancellation.signal;
}
