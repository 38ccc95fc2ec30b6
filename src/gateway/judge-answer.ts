import type { ErrorCode } from '../core/errors.ts';
import type { RequestFailure } from '../core/usage-record.ts';
import type { ChatAnswer, ChatRequest } from './chat.ts';
import { isEmptyAnswer } from './chat.ts';

/**
 * Why an answer that came to its end cannot be used, or null when it can: refused, cut off by the token
 * limit, empty, or not the JSON that was demanded (as a format or as the arguments of a tool). The caller
 * gets such an answer as it is; the record counts it against the model.
 */
export function judgeAnswer(answer: ChatAnswer, wantsJson: boolean): RequestFailure | null {
  const { finishReason } = answer;
  if (finishReason === 'content_filter' || finishReason === 'refusal' || answer.refusal !== '') {
    return modelFailure('refused_answer', 'The model or its provider refused to answer.');
  }
  if (finishReason === 'length') {
    return modelFailure('truncated_answer', 'The answer was cut off at the token limit.');
  }
  if (isEmptyAnswer(answer)) return modelFailure('empty_answer', 'The answer was empty.');
  if (!answer.toolCalls.every((call) => call.arguments === '' || isJson(call.arguments))) {
    return modelFailure('invalid_answer', 'The arguments of a tool call are not JSON.');
  }
  if (wantsJson && answer.toolCalls.length === 0 && !isJson(answer.text)) {
    return modelFailure('invalid_answer', 'JSON was demanded and the answer is not JSON.');
  }
  return null;
}

/** True when the request demands an answer in JSON. */
export function demandsJson(request: ChatRequest): boolean {
  const type = request.response_format?.type;
  return type === 'json_object' || type === 'json_schema';
}

function modelFailure(code: ErrorCode, message: string): RequestFailure {
  return { fault: 'model', code, message };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
