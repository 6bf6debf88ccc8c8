// The fast YAML reader must agree with the full parser on everything that it accepts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { readFastYaml } from '../../../engine/proto/fast-yaml.ts';
import { SourceText, SyntaxFault } from '../../../engine/proto/source-text.ts';

/** What the full parser says: the same text behind a directive that the fast reader declines. */
function full(text: string): unknown { try { return new SourceText('x', `---\n${text}`).data(); } catch (e) { if (e instanceof SyntaxFault) return e; throw e; } }

test('the sample bootstrap is read fast, and the same', () => {
  const text = readFileSync(new URL('../../../workers/sample.yaml', import.meta.url), 'utf8');
  const fast = readFastYaml(text);
  assert.notEqual(fast, undefined);
  assert.deepEqual(fast, full(text));
});

test('scalars: booleans of YAML 1.1, null, whole numbers, and text for the rest', () => {
  const text = 'a: yes\nb: n\nc: 12\nd: 1.5\ne: ~\nf: "12"\ng: \'no\'\nh: some text # note\ni:\nj: -3\nk: 1_000\nl: {m: [1, x, on], n: {}}\n';
  assert.deepEqual(readFastYaml(text), { a: true, b: false, c: 12, d: '1.5', e: null, f: '12', g: 'no', h: 'some text', i: null, j: -3, k: '1_000', l: { m: [1, 'x', true], n: {} } });
  assert.deepEqual(readFastYaml(text), full(text));
});

test('whole numbers in other bases are read as Envoy does: a mode of 0600 is octal', () => {
  const text = 'a: 0600\nb: 0x1F\nc: -010\nd: +0700\ne: "0600"\nf: 08\ng: 0o600\nh: 0778\ni: 0b1\n';
  assert.deepEqual(readFastYaml(text), { a: 0o600, b: 31, c: -8, d: 0o700, e: '0600', f: '08', g: '0o600', h: '0778', i: '0b1' });
  assert.deepEqual(readFastYaml(text), full(text));
});

test('what it is not sure of is left to the full parser', () => {
  for (const text of ['a: &x 1\nb: *x\n', 'a: |\n  text\n', 'a: !!str 1\n', 'a: b\n  c\n', '? a\n: b\n', '<<: {a: 1}\n', 'a: 1\na: 2\n', 'a: b: c\n', '- a\n b\n', '{a: 1', 'a:\n\t- b\n']) assert.equal(readFastYaml(text), undefined, text);
});

test('random documents: where both read, both read the same', () => {
  const leaf = fc.oneof(fc.constantFrom('x', 'yes', '12', '1.5', '"q: z"', "'s # t'", '~', 'a-b', 'http://h:80/p', '{a: 1, b: [x]}', '[]', '- y', 'a: b', '#c', '', ': x', 'x:', '&a', '*a', '|', '>'), fc.string({ maxLength: 8 }));
  const line = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom('', 'k: ', 'key:', '- ', '- k: ', '"q": '), leaf).map(([n, k, v]) => ' '.repeat(n) + k + v);
  let both = 0;
  fc.assert(fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
    const text = `${lines.join('\n')}\n`;
    const fast = readFastYaml(text);
    if (fast === undefined) return;
    const slow = full(text);
    if (slow instanceof SyntaxFault) assert.fail(`the fast reader took what is no YAML: ${JSON.stringify(text)}`);
    assert.deepEqual(fast, slow, JSON.stringify(text));
    both++;
  }), { numRuns: 6000, interruptAfterTimeLimit: 4000 });
  assert.ok(both > 100, `${both} documents were read by both`);
});
