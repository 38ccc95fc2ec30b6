import { toFields } from '../fields.ts';
import type { ClientRequest } from '../inbound.ts';
import { stringifyRequest } from '../json-body.ts';
import { withModelName } from '../model-name.ts';

/** The body of a client of `/v1/completions`: its own, but for the model. Usage is always asked for. */
export function forwardCompletionsRequest(
  { body, bytes }: ClientRequest,
  modelName: string,
  isStream: boolean,
): string | Buffer {
  if (!isStream && !body['metadata']) return withModelName({ body, bytes }, modelName);
  // Our clients send it for tracking; nobody knows it here.
  const { metadata: _metadata, ...rest } = body;
  const usage = { stream_options: { ...toFields(body['stream_options']), include_usage: true } };
  return stringifyRequest({ ...rest, model: modelName, ...(isStream ? usage : {}) });
}
