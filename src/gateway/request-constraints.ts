import type { IncomingHttpHeaders } from 'node:http';
import { TallyrankError } from '../core/errors.ts';
import type { RequestLimits } from '../core/request-limits.ts';
import type { Fields } from './protocols/fields.ts';
import { isFields } from './protocols/fields.ts';
import type { ClientRequest } from './protocols/inbound.ts';
import { stringifyRequest } from './protocols/json-body.ts';

/** What a request says of the choice of its model, in headers or in the field `tallyrank` of its body. */
export interface RequestConstraints {
  /** null: none of the limits is given. */
  readonly limits: RequestLimits | null;
  /** A preset, "auto:cheap" or "cheap"; null: the one that the model's name says. */
  readonly policy: string | null;
  /** null: not said. */
  readonly explore: boolean | null;
}

const NO_CONSTRAINTS: RequestConstraints = { limits: null, policy: null, explore: null };

/** Names in one list. More would make every request slow for everybody. */
const NAMES_MAX = 100;
const NAME_LENGTH_MAX = 200;

const FIELD = 'tallyrank';
const YES: ReadonlySet<string> = new Set(['true', 'on', 'yes', '1']);
const NO: ReadonlySet<string> = new Set(['false', 'off', 'no', '0']);

/** The settings, by the field of the body, with their headers. */
const HEADERS = {
  allowModels: 'x-tallyrank-allow-models',
  denyModels: 'x-tallyrank-deny-models',
  maxCostUsd: 'x-tallyrank-max-cost-usd',
  maxLatencyMs: 'x-tallyrank-max-latency-ms',
  localOnly: 'x-tallyrank-local-only',
  policy: 'x-tallyrank-policy',
} as const;

const FIELDS: ReadonlySet<string> = new Set([...Object.keys(HEADERS), 'explore']);

/**
 * The constraints of a request; the body wins over headers, which a proxy may set for all.
 *
 * @throws {TallyrankError} `bad_request` for values that cannot be meant
 */
export function constraintsOf({ body }: ClientRequest, headers: IncomingHttpHeaders): RequestConstraints {
  const own = body[FIELD];
  if (own === undefined && !hasOwnHeader(headers)) return NO_CONSTRAINTS;
  const fields = fieldsOf(own);
  const given = <Name extends keyof typeof HEADERS>(name: Name): Given => {
    const value = fields[name];
    if (value !== undefined && value !== null) return { param: `${FIELD}.${name}`, value };
    return { param: HEADERS[name], value: headers[HEADERS[name]] };
  };
  const limits: RequestLimits = {
    origin: 'the request',
    allowModels: toNames(given('allowModels')),
    denyModels: toNames(given('denyModels')),
    costMaxUsd: toAmount(given('maxCostUsd')),
    latencyMaxMs: toAmount(given('maxLatencyMs')),
    isLocalOnly: toFlag(given('localOnly')) ?? false,
  };
  return {
    limits: hasLimit(limits) ? limits : null,
    policy: toText(given('policy')),
    explore: toFlag({ param: `${FIELD}.explore`, value: fields['explore'] }),
  };
}

/** The request without what only we understand: providers refuse fields that they do not know. */
export function withoutConstraints(client: ClientRequest): ClientRequest {
  if (client.body[FIELD] === undefined) return client;
  const { [FIELD]: _ofBody, ...body } = client.body;
  const { [FIELD]: _ofRequest, ...request } = client.request;
  return {
    ...client,
    body,
    request: request as ClientRequest['request'],
    bytes: Buffer.from(stringifyRequest(body)),
  };
}

interface Given {
  /** The header or field, for the message. */
  readonly param: string;
  readonly value: unknown;
}

function hasOwnHeader(headers: IncomingHttpHeaders): boolean {
  for (const name of Object.values(HEADERS)) if (headers[name] !== undefined) return true;
  return false;
}

function fieldsOf(value: unknown): Fields {
  if (value === undefined || value === null) return {};
  if (!isFields(value)) throw refused(FIELD, 'must be an object, e.g. {"localOnly": true}');
  for (const name of Object.keys(value)) {
    if (!FIELDS.has(name)) {
      throw refused(`${FIELD}.${name.slice(0, 40)}`, `is not known; there are ${[...FIELDS].join(', ')}`);
    }
  }
  return value;
}

function toNames({ param, value }: Given): readonly string[] | null {
  if (value === undefined) return null;
  const parts: readonly unknown[] = typeof value === 'string' ? value.split(',') : asList(value, param);
  const names = parts.map((part) => (typeof part === 'string' ? part.trim() : ''));
  if (names.length > NAMES_MAX) throw refused(param, `may name ${NAMES_MAX} models at most`);
  if (names.some((name) => name === '' || name.length > NAME_LENGTH_MAX)) {
    throw refused(
      param,
      'must name models, separated by commas in a header or as a list of texts in the body',
    );
  }
  return names;
}

function asList(value: unknown, param: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw refused(param, 'must name at least one model');
}

function toAmount({ param, value }: Given): number | null {
  if (value === undefined) return null;
  const isWritten = typeof value === 'string' && value.trim() !== '';
  const amount = typeof value === 'number' || isWritten ? Number(value) : Number.NaN;
  if (Number.isFinite(amount) && amount >= 0) return amount;
  throw refused(param, `must be a number of 0 or more, not ${shown(value)}`);
}

function toFlag({ param, value }: Given): boolean | null {
  if (value === undefined || value === null) return null;
  const word = String(value).toLowerCase();
  if (YES.has(word)) return true;
  if (NO.has(word)) return false;
  throw refused(param, `must be true or false, not ${shown(value)}`);
}

function toText({ param, value }: Given): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && value.trim() !== '') return value.trim();
  throw refused(param, 'must be the name of a policy, e.g. "cheap"');
}

function hasLimit(limits: RequestLimits): boolean {
  return (
    limits.allowModels !== null ||
    limits.denyModels !== null ||
    limits.costMaxUsd !== null ||
    limits.latencyMaxMs !== null ||
    limits.isLocalOnly
  );
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 40);
}

function refused(param: string, what: string): TallyrankError {
  return new TallyrankError('bad_request', `${param} ${what}.`, { param });
}
