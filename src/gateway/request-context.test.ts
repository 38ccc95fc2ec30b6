import { describe, expect, it } from 'vitest';
import { NO_CONTEXT } from '../core/usage-record.ts';
import type { ChatRequest } from './chat.ts';
import { contextOfRequest, mayExplore } from './request-context.ts';

const request: ChatRequest = { model: 'auto', messages: [{ role: 'user', content: 'x' }] };

describe('contextOfRequest', () => {
  it('knows nothing of a bare request', () => {
    expect(contextOfRequest({}, request)).toEqual(NO_CONTEXT);
  });

  it.each([
    ['x-user-id', 'userId'],
    ['helicone-user-id', 'userId'],
    ['x-session-id', 'sessionId'],
    ['x-conversation-id', 'sessionId'],
    ['helicone-session-id', 'sessionId'],
    ['x-litellm-session-id', 'sessionId'],
    ['x-claude-code-session-id', 'sessionId'],
    ['x-room-id', 'roomId'],
    ['x-request-id', 'externalId'],
    ['helicone-request-id', 'externalId'],
  ])('reads %s as %s', (header, field) => {
    expect(contextOfRequest({ [header]: ' value ' }, request)).toEqual({ ...NO_CONTEXT, [field]: 'value' });
  });

  it('reads the body where no header speaks', () => {
    const metadata = {
      user_id: 'meta',
      session_id: 's',
      room_id: 'r',
      tags: ['a', 'b', 'a'],
      priority: '7',
      detected_intent: 'shopping',
      request_id: 'e',
    };
    expect(contextOfRequest({ 'x-session-id': 'head' }, { ...request, user: 'body', metadata })).toEqual({
      ...NO_CONTEXT,
      userId: 'body',
      sessionId: 'head',
      roomId: 'r',
      tags: ['a', 'b'],
      priority: 7,
      detectedIntent: 'shopping',
      externalId: 'e',
    });
  });

  it('bounds what a client sends', () => {
    const tags = Array.from({ length: 100 }, (_, at) => `t${at}`);
    const context = contextOfRequest(
      { 'x-user-id': 'u'.repeat(5_000), 'x-room-id': '\u0001\u0002', 'x-priority': 'NaN' },
      { ...request, metadata: { tags: [...tags, {}, null], session_id: { deep: true } } },
    );
    expect(context.userId).toHaveLength(200);
    expect(context.tags).toHaveLength(32);
    expect(context).toMatchObject({ roomId: null, priority: null, sessionId: null });
  });

  it('takes priorities in words', () => {
    expect(contextOfRequest({ 'x-priority': 'High' }, request).priority).toBe(75);
  });
});

describe('mayExplore', () => {
  it('lets chance choose unless the header says no, by any word but yes', () => {
    expect(mayExplore({})).toBe(true);
    for (const word of ['on', ' True ', 'yes', '1', ''])
      expect(mayExplore({ 'x-tallyrank-explore': word })).toBe(true);
    for (const word of ['off', 'false', 'no', '0', 'OFF', 'never'])
      expect(mayExplore({ 'x-tallyrank-explore': word })).toBe(false);
  });
});
