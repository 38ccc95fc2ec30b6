import { describe, expect, it } from 'vitest';
import type { FakeKind } from '../kit/fake-provider.ts';
import { fake, gatewayTo } from '../kit/gateway-calls.ts';
import type { TestGateway } from '../kit/start-gateway.ts';

/*
 * Requests in the shape that coding tools send them, written anew: Claude Code 2.1 and Codex 0.169.
 */

const KINDS: readonly (readonly [FakeKind])[] = [['openai'], ['anthropic'], ['ollama']];
const SESSION = '0f9b6e6e-6a6c-4f4e-9f0e-3a9d5f3b7c11';
const CALL = { id: 'call_1', name: 'Bash', arguments: '{"command":"ls"}' };

async function post(
  gateway: TestGateway,
  path: string,
  body: object,
  headers: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>[]> {
  const response = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer none', ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(text);
  const data = [...text.matchAll(/^data: (.*)$/gm)].map(([, line = '']) => line);
  return data.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe.each(KINDS)('Claude Code on %s', (kind) => {
  const cached = { cache_control: { type: 'ephemeral' } };
  const question = {
    role: 'user',
    content: [
      { type: 'text', text: '<system-reminder>\nThe date is today.\n</system-reminder>' },
      { type: 'text', text: 'What files are here?', ...cached },
    ],
  };
  const body = {
    model: 'auto',
    max_tokens: 32_000,
    stream: true,
    system: [
      { type: 'text', text: 'You are a coding tool.', ...cached },
      { type: 'text', text: 'Be brief.', ...cached },
    ],
    messages: [question],
    tools: [
      {
        name: 'Bash',
        description: 'Runs a command',
        input_schema: {
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          type: 'object',
          properties: { command: { type: 'string' } },
          required: ['command'],
          additionalProperties: false,
        },
      },
    ],
    thinking: { type: 'adaptive' },
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
    output_config: { effort: 'high' },
    metadata: { user_id: `user_0_account__session_${SESSION}` },
  };
  const headers = {
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27',
    'x-app': 'cli',
  };

  it('calls its shell and goes on with what that said', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: 'I look.', toolCalls: [CALL] }, { text: 'One file.' });
    const path = '/v1/messages?beta=true';
    const events = await post(gateway, path, body, headers);
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['message_start', 'message_stop']));
    const starts = events.filter(({ type }) => type === 'content_block_start');
    const blocks = starts.map(({ content_block: block }) => block as { type: string; id?: string });
    const use = blocks.find(({ type }) => type === 'tool_use');
    const turns = [
      question,
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'I look.' },
          { type: 'tool_use', id: use?.id, name: 'Bash', input: { command: 'ls' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: use?.id, content: 'a.txt', is_error: false, ...cached },
        ],
      },
    ];
    const answer = await post(gateway, path, { ...body, messages: turns }, headers);
    expect(JSON.stringify(answer)).toContain('One');
    expect(JSON.stringify(provider.calls[1]?.body)).toContain('a.txt');
    expect(provider.calls[1]?.headers['anthropic-beta']).toBe(
      kind === 'anthropic' ? headers['anthropic-beta'] : undefined,
    );
    expect((await gateway.log.record(1)).facts).toMatchObject({ sessionId: SESSION });
    expect(gateway.log.records.map(({ outcome }) => outcome.failure)).toEqual([null, null]);
  });
});

describe.each(KINDS)('Codex on %s', (kind) => {
  const parameters = { type: 'object', properties: { cmd: { type: 'string' } }, required: ['cmd'] };
  const agents = {
    type: 'namespace',
    name: 'agents_v1',
    description: 'Tools for helpers',
    tools: [{ type: 'function', name: 'close', description: 'Closes one', strict: false, parameters }],
  };
  const shell = { type: 'function', name: 'shell', description: 'Runs a command', strict: false, parameters };
  const said = (role: string, text: string): object => ({
    type: 'message',
    id: `msg_${role}`,
    role,
    content: [{ type: 'input_text', text }],
  });
  const input = [
    said('developer', 'You are a coding tool.'),
    said('user', '<environment_context>\n  <shell>bash</shell>\n</environment_context>'),
    said('user', 'What files are here?'),
  ];
  const body = {
    model: 'auto',
    stream: true,
    input,
    tools: [shell, agents],
    tool_choice: 'auto',
    parallel_tool_calls: true,
    reasoning: { summary: 'auto' },
    store: false,
    include: ['reasoning.encrypted_content'],
    prompt_cache_key: SESSION,
    client_metadata: { session_id: SESSION },
  };

  it('calls a tool of a group by both its names, and goes on with what that said', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next(
      { text: 'I close.', toolCalls: [{ ...CALL, name: 'agents_v1__close' }] },
      { text: 'All closed.' },
    );
    const events = await post(gateway, '/v1/responses', body, { 'session-id': SESSION });
    const completed = events.at(-1) as { type: string; response: { output: Record<string, unknown>[] } };
    expect(completed.type).toBe('response.completed');
    const call = completed.response.output.find(({ type }) => type === 'function_call');
    expect(call).toMatchObject({ name: 'close', namespace: 'agents_v1', arguments: '{"command":"ls"}' });
    const done = events.find(({ type }) => type === 'response.function_call_arguments.done');
    expect(done).toMatchObject({ name: 'close' });
    const next = [
      ...completed.response.output,
      { type: 'function_call_output', call_id: call?.['call_id'], output: 'ok' },
    ];
    const answer = await post(gateway, '/v1/responses', { ...body, input: [...input, ...next] }, {});
    expect(JSON.stringify(answer.at(-1))).toContain('All closed.');
    for (const at of [0, 1]) {
      expect(JSON.stringify(provider.calls[at]?.body['tools'])).toMatch(/shell.*agents_v1__close/);
    }
    expect(JSON.stringify(provider.calls[1]?.body['messages'])).toContain('agents_v1__close');
    expect((await gateway.log.record(0)).facts).toMatchObject({
      sessionId: SESSION,
      prompt: { prompt: 'What files are here?' },
    });
  });

  it('sends a tool of no group on, even one whose name looks like it', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    const lookalike = { ...shell, name: 'agents_v1__open' };
    provider.next({ toolCalls: [{ ...CALL, name: lookalike.name }] });
    const events = await post(gateway, '/v1/responses', { ...body, tools: [agents, lookalike] }, {});
    const { item } = events.find(({ type }) => type === 'response.output_item.done') as {
      item: Record<string, unknown>;
    };
    expect(item).toMatchObject({ name: lookalike.name });
    expect(item).not.toHaveProperty('namespace');
  });

  it('gets both names in a plain answer as well', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ toolCalls: [{ ...CALL, name: 'agents_v1__close' }] });
    const plain = { ...body, stream: false, reasoning: null } as unknown as { model: string };
    const { output } = await gateway.client.responses.create({ ...plain, stream: false });
    expect(output).toMatchObject([{ type: 'function_call', name: 'close', namespace: 'agents_v1' }]);
  });
});
