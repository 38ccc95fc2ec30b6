import { TallyrankError } from '../../src/core/errors.ts';
import { EMPTY_PART } from '../../src/gateway/chat.ts';
import type { InboundProtocol } from '../../src/gateway/protocols/inbound.ts';
import { errorOfStatus } from '../../src/gateway/upstream-errors.ts';
import type { Check } from './answers.ts';
import { attempt, clientOf, PROTOCOLS } from './answers.ts';
import { splitsOf } from './chunking.ts';
import { CLIENTS } from './clients.ts';
import { dataOf } from './facts.ts';
import { decodeStream, decodeWhole } from './neutral.ts';
import type { Fields, Recording } from './recordings.ts';

/** What a recorded error must become. */
export interface ExpectedError {
  /** Our code. */
  readonly code: string;
  /** What the provider said, which the caller of a request that was refused must hear. */
  readonly words: string;
}

/** What the recording must become when it is an error; null: it is an answer. */
export function expectedErrorOf(recording: Recording): ExpectedError | null {
  const said = errorIn(recording);
  if (said === null) return null;
  const code =
    CODE_OF_WORD[String(said['code'])] ??
    CODE_OF_WORD[String(said['type'])] ??
    CODE_OF_STATUS[recording.statusCode] ??
    'upstream_rejected';
  return { code, words: String(said['message']) };
}

function errorIn({ protocol, isStream, bytes, statusCode }: Recording): Fields | null {
  const text = bytes.toString();
  const events = isStream && !protocol.startsWith('ollama') ? dataOf(text) : [isStream ? '{}' : text];
  for (const event of events.map((data) => JSON.parse(data) as Fields)) {
    const response = event['response'] as Fields | undefined;
    const said = event['type'] === 'response.failed' ? response?.['error'] : event['error'];
    if (typeof said === 'object' && said !== null) return said as Fields;
    if (typeof said === 'string') return { message: said };
    if (event['type'] === 'error') return event;
  }
  if (statusCode !== 200) return JSON.parse(text) as Fields;
  // A stream of OpenAI's that neither gives a reason nor says [DONE] cannot be told from one that was cut.
  const hasEnd = !/^openai-c/.test(protocol) || /"finish_reason":\s*"[^"]|\[DONE\]/.test(text);
  return isStream && !hasEnd ? { code: 'upstream_cut' } : null;
}

/** Codes by the most precise word of the recorded bodies, by a table of its own. */
const CODE_OF_WORD: Readonly<Record<string, string>> = {
  upstream_cut: 'upstream_cut',
  tool_use_failed: 'invalid_answer',
  insufficient_quota: 'upstream_quota_exhausted',
  model_not_found: 'upstream_not_found',
  DeploymentNotFound: 'upstream_not_found',
  not_found_error: 'upstream_not_found',
  content_filter: 'upstream_filtered',
  authentication_error: 'upstream_unauthorized',
  invalid_api_key: 'upstream_unauthorized',
  overloaded_error: 'upstream_failed',
  server_error: 'upstream_failed',
};

const CODE_OF_STATUS: Readonly<Record<number, string>> = {
  400: 'upstream_rejected',
  401: 'upstream_unauthorized',
  403: 'upstream_unauthorized',
  404: 'upstream_not_found',
  429: 'upstream_rate_limited',
  500: 'upstream_failed',
  529: 'upstream_failed',
};

/** What providers say of our own account is not passed on. */
const NOT_PASSED_ON = /unauthorized|quota|rate_limited|upstream_(failed|cut)/;

/** Whether a recorded error becomes the right one of ours, and reaches clients of every protocol. */
export async function checkError(recording: Recording, expected: ExpectedError): Promise<Check[]> {
  const read = await attempt('read', () => {
    const { code } = thrownBy(recording, [recording.bytes]);
    if (code !== expected.code) throw new Error(`is ${code}, not ${expected.code}`);
  });
  const checks = [read];
  if (read.fault !== null) return checks;
  const error = thrownBy(recording, [recording.bytes]);
  if (recording.isStream) {
    checks.push(
      await attempt('chunked', () => {
        for (const pieces of Object.values(splitsOf(recording.bytes))) {
          const { code } = thrownBy(recording, pieces);
          if (code !== expected.code) throw new Error(`is ${code} in pieces, not ${expected.code}`);
        }
      }),
    );
  }
  const words = NOT_PASSED_ON.test(error.code) ? error.message : expected.words;
  for (const protocol of Object.values(PROTOCOLS)) {
    checks.push(await attempt(protocol.name, () => isHeard(protocol, error, words)));
  }
  return checks;
}

function thrownBy(
  { protocol, provider, isStream, statusCode, bytes }: Recording,
  pieces: readonly Buffer[],
): TallyrankError {
  if (statusCode !== 200) return errorOfStatus(provider, statusCode, {}, bytes);
  try {
    if (isStream) decodeStream(protocol, provider, pieces, false);
    else decodeWhole(protocol, provider, bytes, false);
  } catch (error) {
    if (error instanceof TallyrankError) return error;
    throw error;
  }
  throw new Error('read as an answer');
}

/** The official SDK throws, with our status and the words, for a body and for the end of a stream. */
async function isHeard(protocol: InboundProtocol, error: TallyrankError, words: string): Promise<void> {
  const read = CLIENTS[protocol.name];
  const body = protocol.encodeError(error, '0199');
  const headers = { 'content-type': 'application/json' };
  const whole = await rejectionOf(read(new Response(body, { status: error.statusCode, headers }), false));
  const status = (whole as { status?: unknown }).status ?? (whole as { status_code?: unknown }).status_code;
  if (status !== error.statusCode) throw new Error(`status ${String(status)}, not ${error.statusCode}`);
  if (!whole.message.includes(words)) throw new Error(`says ${whole.message}`);
  const head = { id: protocol.newAnswerId('0199'), createdAtSeconds: 1_700_000_000, model: 'provider:model' };
  const encoder = protocol.openStream(clientOf(protocol, true), head);
  const frames = encoder.part({ ...EMPTY_PART, text: 'Hello' }) + encoder.error(error, '0199');
  const stream = { headers: { 'content-type': protocol.streamType } };
  const streamed = await rejectionOf(read(new Response(frames, stream), true));
  if (!streamed.message.includes(words)) throw new Error(`says in a stream ${streamed.message}`);
}

/** What the SDK throws; that of Responses throws the event of an error as it is. */
async function rejectionOf(call: Promise<unknown>): Promise<{ readonly message: string }> {
  try {
    await call;
  } catch (error) {
    return error as { message: string };
  }
  throw new Error('the SDK took an error for an answer');
}
