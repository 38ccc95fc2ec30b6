import { ClickHouseError } from '@clickhouse/client';
import { describe, expect, it } from 'vitest';
import { toStoreError } from './clickhouse-errors.ts';

const SECRET = 'my rash, doctor';

/** Messages of the engine that quote what they could not take. */
const QUOTING = [
  ['27', 'CANNOT_PARSE_INPUT_ASSERTION_FAILED', `Cannot parse input: expected '"' before: '${SECRET}\\n'`],
  [
    '26',
    'CANNOT_PARSE_QUOTED_STRING',
    `Cannot parse JSON string: expected opening quote: (at row 3)\n${SECRET}`,
  ],
  [
    '53',
    'TYPE_MISMATCH',
    `Cannot convert string '${SECRET}' to type UInt8: While processing '${SECRET}' = 1`,
  ],
  [
    '43',
    'ILLEGAL_TYPE_OF_ARGUMENT',
    `Illegal types. In scope SELECT count() FROM t WHERE prompt = ${SECRET}`,
  ],
  ['117', 'INCORRECT_DATA', `Unknown field: (while reading the value of key prompt) ${SECRET}`],
  ['6', 'CANNOT_PARSE_TEXT', `Cannot parse "${SECRET} as Float64`],
] as const;

function refusal(code: string, type: string, message: string): ClickHouseError {
  return new ClickHouseError({ code, type, message });
}

/** All that a logger would print of an error. */
function printed(error: Error): string {
  const cause = error.cause as Error;
  return [error.message, error.stack, cause.message, cause.stack, JSON.stringify(cause)].join('\n');
}

describe('a refused statement', () => {
  it.each(QUOTING)('%s: keeps the values of rows out of message and log', (code, type, message) => {
    const error = toStoreError(refusal(code, type, message));
    expect(error).toMatchObject({ code: 'store_query_failed' });
    expect(printed(error)).not.toContain(SECRET);
    expect(printed(error)).not.toContain('rash');
    // What is left tells the operator what went wrong.
    expect(error.message).toContain(`${code} ${type}`);
    expect((error.cause as Error).message).toMatch(/ClickHouse \d+ [A-Z_]+: [A-Z]\w+/);
  });

  it('shows what names tables and columns only', () => {
    const error = toStoreError(refusal('60', 'UNKNOWN_TABLE', "Table default.usage_log doesn't exist"));
    expect(error.message).toContain('usage_log');
  });
});
