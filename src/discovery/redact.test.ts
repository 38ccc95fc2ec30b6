import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFreeOfPersonalData, redact } from './redact.ts';

describe('redact', () => {
  it.each([
    ['mail ann.lee+shop@mail.example.co.uk now', 'mail [email] now'],
    ['an Müller@bücher.example, bitte', 'an [email], bitte'],
    ['отправь на почту иван@пример.рф', 'отправь на почту [email]'],
    ['请联系wang@example.com谢谢', '请联系[email]谢谢'],
    ['call +49 30 1234567 or (030) 123-4567', 'call [phone] or [phone]'],
    ['call 555-867-5309, ext. 4', 'call [phone], ext. 4'],
    ['tel:+14155552671', 'tel:[phone]'],
    ['my card is 4111 1111 1111 1111', 'my card is [card]'],
    ['card 5500-0000-0000-0004.', 'card [card].'],
    ['card ٤١١١١١١١١١١١١١١١', 'card [card]'],
    ['IBAN DE89 3704 0044 0532 0130 00 please', 'IBAN [iban] please'],
    ['pay BE68 5390 0754 7034 that way', 'pay [iban] that way'],
    ['GB82WEST12345698765432', '[iban]'],
    ['ping 192.168.10.254!', 'ping [ip]!'],
    ['from 2001:db8::8a2e:370:7334', 'from [ip]'],
    ['git clone https://bob:hunter2@git.example.com/a', 'git clone https://[secret]@git.example.com/a'],
    ['GET /a?user=1&token=abcd1234&x=2', 'GET /a?user=1&token=[secret]&x=2'],
    ['use sk-proj-abcdEFGH1234567890abcd', 'use [token]'],
    ['ghp_abcdefghijklmnopqrstuvwxyz0123456789', '[token]'],
    ['AKIAIOSFODNN7EXAMPLE', '[token]'],
    ['xoxb-123456789012-abcdefghij', '[token]'],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123', '[token]'],
    ['Authorization: Bearer abc123def456', 'Authorization: Bearer [secret]'],
    ['password: hunter', 'password: [secret]'],
    ['das Passwort ist geheim: passwort=xyzzy', 'das Passwort ist geheim: passwort=[secret]'],
    ['my ssn 123456789', 'my ssn [number]'],
    ['id 1234567890123456789012345678901234567890123456', 'id [number]'],
    [
      'a\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4\nMIIEow\n-----END RSA PRIVATE KEY-----\nb',
      'a\n[private key]\nb',
    ],
    ['-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn cut here', '[private key]'],
  ])('takes out what is personal or secret: %s', (text, left) => {
    expect(redact(text)).toBe(left);
    expect(redact(left)).toBe(left);
  });

  it.each([
    'How do I reset my password?',
    'Why is the token expired?',
    'What happened in 1914-1918, and on 2026-03-01 or 24.12.2025?',
    'Convert 1 000 000 yen and 1.500.000 pesos to dollars',
    'Is 10:30:00 before 22:15?',
    'Solve 12345 * 678 - 3.14159',
    'Python 3.12 on port 8080 and ISO 8601',
    'What is @property in Python?',
    'Order #48213 has 3 items at 19.99',
    'key: value in YAML; std::vector and a::b',
    '订单什么时候到？',
    'متى يصل طلبي؟',
  ])('leaves what is neither: %s', (text) => {
    expect(redact(text)).toBe(text);
  });

  it.each([
    ['a long row of one sign', (n: number) => '1'.repeat(n)],
    ['addresses that never end', (n: number) => 'a.'.repeat(n / 2)],
    ['at signs', (n: number) => 'a@'.repeat(n / 2)],
    ['dashes', (n: number) => '-----BEGIN '.repeat(n / 11)],
    ['colons', (n: number) => 'a:'.repeat(n / 2)],
    ['groups of digits', (n: number) => '12 '.repeat(n / 3)],
    ['half accounts', (n: number) => 'AA11 '.repeat(n / 5)],
    ['secrets without a value', (n: number) => 'token is '.repeat(n / 9)],
    ['schemes', (n: number) => '://a:'.repeat(n / 5)],
  ])('finishes on %s', (_what, make) => {
    expect(redact(make(400_000)).length).toBeLessThanOrEqual(40_000);
  });

  it('never breaks a sign in two and never invents one, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 120 }), (text) => {
        expect(redact(text)).not.toMatch(/\p{Surrogate}/u);
        expect(redact(redact(text))).toBe(redact(text));
      }),
    );
  });

  it('finds an address in any surroundings', () => {
    const around = fc.string({ unit: fc.constantFrom(' ', '，', '(', '"', '\n', '！', ':'), maxLength: 5 });
    fc.assert(
      fc.property(around, around, (before, after) => {
        expect(redact(`${before}ann@example.com${after}`)).not.toContain('example.com');
      }),
    );
  });
});

describe('isFreeOfPersonalData', () => {
  it('tells a keyword from an address', () => {
    expect(isFreeOfPersonalData('refund')).toBe(true);
    expect(isFreeOfPersonalData('ann@example.com')).toBe(false);
  });
});
