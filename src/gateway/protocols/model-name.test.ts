import { describe, expect, it } from 'vitest';
import { withModelName } from './model-name.ts';

function exchange(text: string, modelName = 'other:7b'): string | Buffer {
  return withModelName({ body: JSON.parse(text), bytes: Buffer.from(text) }, modelName);
}

describe('withModelName', () => {
  it.each([
    ['first', '{"model":"auto","messages":[{"role":"user","content":"Hi"}]}'],
    ['behind plain fields', '{"temperature":0.5,"user":"é","model":"auto","messages":[]}'],
    ['with space around', '{ "model" :\n\t"auto" , "messages": [] }'],
    ['last', '{"n":1,"model":"auto"}'],
    [
      'with its word in a text',
      '{"model":"auto","messages":[{"role":"user","content":"the \\"model\\" of a car"}]}',
    ],
  ])('exchanges the name in the bytes: %s', (_where, text) => {
    const changed = exchange(text);
    expect(changed).toBeInstanceOf(Buffer);
    expect(changed.toString()).toBe(text.replace(/"auto"/, '"other:7b"'));
  });

  it('leaves the bytes alone where the name is right', () => {
    const bytes = Buffer.from('{"model":"auto"}');
    expect(withModelName({ body: { model: 'auto' }, bytes }, 'auto')).toBe(bytes);
  });

  it('writes names that need escapes', () => {
    const name = 'a "quoted" \\ name é';
    const changed = exchange('{"model":"auto","n":1}', name);
    expect(changed).toBeInstanceOf(Buffer);
    expect(JSON.parse(changed.toString())).toEqual({ model: name, n: 1 });
  });

  it.each([
    ['the key twice', '{"model":"auto","n":1,"model":"auto"}'],
    ['a key of the same name deeper', '{"model":"auto","metadata":{"model":"auto"}}'],
    ['only a deeper key first', '{"metadata":{"model":"auto"},"model":"auto"}'],
    ['a list before it', '{"stop":["model"],"model":"auto"}'],
    ['a brace in a text before it', '{"user":"{","model":"auto"}'],
    ['a text that ends in the key', '{"user":"\\"model","model":"auto"}'],
    ['a text that is the key', '{"user":"model","model":"auto"}'],
    ['an escaped key behind it', '{"model":"auto","mod\\u0065l":"auto"}'],
    ['an escaped key and a deeper one', '{"mod\\u0065l":"auto","metadata":{"model":"auto"}}'],
    ['an escaped name', '{"model":"\\u0061uto"}'],
  ])('writes the body anew when the bytes hold %s', (_what, text) => {
    const changed = exchange(text);
    expect(typeof changed).toBe('string');
    expect(JSON.parse(changed.toString())).toEqual({ ...JSON.parse(text), model: 'other:7b' });
  });
});
