import assert from 'node:assert/strict';
import test from 'node:test';
import { PrefaceDetection } from '../../../engine/http/preface-detection.ts';
import { PrematureResets } from '../../../engine/http/premature-resets.ts';

test('the first bytes tell the version, cut anywhere, and what was kept can be given again', () => {
  const of = (text: string, size: number): string => {
    const d = new PrefaceDetection(), bytes = Buffer.from(text, 'latin1');
    for (let i = 0; i < bytes.length; i += size) {
      const before = d.length, what = d.look(bytes, i, Math.min(bytes.length, i + size));
      if (what !== 'more') return `${what} ${PrefaceDetection.prefix.toString('latin1', 0, before) + text.slice(i)}`;
    }
    return 'more';
  };
  for (let size = 1; size < 30; size++) {
    for (const [text, version] of [['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'h2'], ['GET / HTTP/1.1\r\n\r\n', 'h1'], ['PRI * HTTP/1.1\r\n\r\n', 'h1'], ['PROPFIND / HTTP/1.1\r\n\r\n', 'h1'], ['\r\n', 'h1']] as const) assert.equal(of(text, size), `${version} ${text}`, `${JSON.stringify(text)} in pieces of ${size}`);
    assert.equal(of('PRI * HTTP/', size), 'more');
  }
});

test('half of the streams reset early is too much, as soon as it must come to that', () => {
  const ends = (pattern: (i: number) => boolean, most: number, limit = 500): number => { const r = new PrematureResets(); for (let i = 1; i <= most; i++) if (r.count(pattern(i), limit)) return i; return -1; };
  assert.equal(ends(() => true, 2000), 250);
  assert.equal(ends((i) => i % 2 === 0, 2000), 500);
  assert.equal(ends((i) => i % 3 === 0, 5000), -1);
  assert.equal(ends(() => true, 2000, 10), 5);
});
