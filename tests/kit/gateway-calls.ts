import OpenAI from 'openai';
import { onTestFinished } from 'vitest';
import type { FakeKind } from './fake-provider.ts';
import { FakeProvider } from './fake-provider.ts';
import type { TestGateway, TestGatewayOptions } from './start-gateway.ts';
import { startGateway } from './start-gateway.ts';

/** A fake provider that closes with the test. */
export async function fake(kind: FakeKind, ...models: string[]): Promise<FakeProvider> {
  const provider = await FakeProvider.open({ kind, models });
  onTestFinished(() => provider[Symbol.asyncDispose]());
  return provider;
}

/** A gateway to these providers that closes with the test, before them. */
export async function gatewayTo(
  providers: Record<string, FakeProvider>,
  options: Omit<TestGatewayOptions, 'providers'> = {},
): Promise<TestGateway> {
  const gateway = await startGateway({ providers, ...options });
  onTestFinished(() => gateway[Symbol.asyncDispose]());
  return gateway;
}

export const messages = [{ role: 'user' as const, content: 'When does the coffee shop open?' }];

/** The bare call, for what an SDK would hide. */
export async function post(
  gateway: TestGateway,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return await postTo(gateway, '/v1/chat/completions', body, headers);
}

/** The same to any path. */
export async function postTo(
  gateway: TestGateway,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return await fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
}

/** The error of a call by OpenAI's SDK that must fail. */
export async function failure(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  return await failureOf(OpenAI.APIError, call);
}

/** The error of that class of a call that must fail. */
export async function failureOf<Failure extends Error>(
  kind: new (...given: never[]) => Failure,
  call: Promise<unknown>,
): Promise<Failure> {
  try {
    await call;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}
