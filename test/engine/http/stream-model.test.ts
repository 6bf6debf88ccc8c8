// Any order of what can happen to a stream: pieces from both sides, filters that hold, take, push, add and let go at any time, resets, timeouts, replies. Whatever comes,
// the stream ends once, no hook runs after onEnd, nothing is left armed or stopped, and no byte is lost, doubled or overtaken.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Headers } from '../../../engine/headers/headers.ts';
import { LocalReply, type HttpFilter, type Side, type StreamView, type Verdict } from '../../../engine/http/filter.ts';
import { activeStreams, bytesOf, harness, queueOf, textOf, type Harness } from './stream-harness.ts';

type Word = 'next' | 'hold' | 'hold-whole' | 'push' | 'later' | 'reply';
const WORDS: readonly Word[] = ['next', 'next', 'next', 'hold', 'hold-whole', 'push', 'later'];

/** A filter that does what its script says, word by word, and watches that it is left alone after its end. */
class Scripted implements HttpFilter {
  ends = 0;
  private at = 0;
  private readonly words: readonly Word[];
  /** Bytes that it took and has not pushed yet, by side. */
  private readonly mine: Record<Side, { text: string; last: boolean } | null> = { request: null, response: null };
  constructor(words: readonly Word[]) { this.words = words; }
  private word(): Word { assert.equal(this.ends, 0, 'a hook after onEnd'); return this.words[this.at++ % this.words.length]!; }

  private head(s: StreamView, side: Side, end: boolean): Verdict {
    const w = this.word();
    if (w === 'reply') return new LocalReply(403, 'no', 'denied');
    if (w === 'push' && end) { s.push(this, queueOf('+'), true, side); return 'next-open'; }
    return w === 'hold' || w === 'hold-whole' ? w : 'next';
  }
  private data(s: StreamView, side: Side, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    const w = this.word(), text = textOf(bytes, start, end), before = this.mine[side];
    if (before !== null || w === 'later') { this.mine[side] = { text: (before?.text ?? '') + text, last }; return 'taken'; }
    if (w === 'push') { s.push(this, queueOf(text), last, side); return 'taken'; }
    return w === 'reply' ? 'next' : w;
  }
  private trailers(s: StreamView, side: Side): Verdict {
    const w = this.word();
    this.flush(s, side);
    return w === 'hold' ? 'hold' : 'next';
  }
  flush(s: StreamView, side: Side): void { const m = this.mine[side]; if (m === null) return; this.mine[side] = null; s.push(this, queueOf(m.text), m.last, side); }

  onRequestHeaders(s: StreamView, _h: Headers, end: boolean): Verdict { return this.head(s, 'request', end); }
  onRequestData(s: StreamView, b: Uint8Array, start: number, end: number, last: boolean): Verdict { return this.data(s, 'request', b, start, end, last); }
  onResponseHeaders(s: StreamView, _h: Headers, end: boolean): Verdict { return this.head(s, 'response', end); }
  onResponseData(s: StreamView, b: Uint8Array, start: number, end: number, last: boolean): Verdict { return this.data(s, 'response', b, start, end, last); }
  onEnd(): void { this.ends++; }
}

/** The same, that also looks at trailers. */
class ScriptedWithTrailers extends Scripted {
  onRequestTrailers(s: StreamView): Verdict { return this['trailers'](s, 'request'); }
  onResponseTrailers(s: StreamView): Verdict { return this['trailers'](s, 'response'); }
}

interface Run { readonly h: Harness; readonly filters: readonly Scripted[]; request: 'head' | 'open' | 'over'; response: 'head' | 'open' | 'over'; sentUp: string; sentDown: string; letter: number; gone: boolean }
type Step = 'request' | 'request-end' | 'request-trailers' | 'answer' | 'answer-end' | 'response' | 'response-end' | 'response-trailers' | 'reset' | 'upstream-reset' | 'reply' | 'own-reset' | 'idle' | 'blocked' | 'drained' | { readonly resume: number; readonly side: Side } | { readonly flush: number; readonly side: Side } | { readonly pause: number; readonly side: Side } | { readonly unpause: number; readonly side: Side };

const trailers = (): Headers => { const t = new Headers(); t.add('t', '1'); return t; };

function step(r: Run, s: Step): void {
  const { h } = r, letter = (): string => String.fromCharCode(97 + (r.letter++ % 26));
  const over = h.ended() > 0;
  if (typeof s === 'object') {
    const n = 'resume' in s ? s.resume : 'flush' in s ? s.flush : 'pause' in s ? s.pause : s.unpause, f = r.filters[n % r.filters.length];
    if (f === undefined) return;
    if ('resume' in s) h.stream.resume(f, s.side); else if ('flush' in s) f.flush(h.stream, s.side); else if ('pause' in s) h.stream.pause(f, s.side); else h.stream.unpause(f, s.side);
    return;
  }
  const canAnswer = !over && h.terminal.got.list.length > 0;
  switch (s) {
    case 'request': case 'request-end': if (r.request === 'open' && !over && !r.gone) { const c = letter(); r.sentUp += c; if (s === 'request-end') r.request = 'over'; h.body(c, s === 'request-end'); } break;
    case 'request-trailers': if (r.request === 'open' && !over && !r.gone) { r.request = 'over'; h.stream.onTrailers(trailers()); } break;
    case 'answer': case 'answer-end': if (r.response === 'head' && canAnswer) { r.response = s === 'answer' ? 'open' : 'over'; h.terminal.answer(200, s === 'answer-end'); } break;
    case 'response': case 'response-end': if (r.response === 'open' && canAnswer) { const c = letter(); r.sentDown += c; if (s === 'response-end') r.response = 'over'; h.terminal.body(c, s === 'response-end'); } break;
    case 'response-trailers': if (r.response === 'open' && canAnswer) { r.response = 'over'; h.stream.respondTrailers(trailers()); } break;
    case 'reset': if (!over && !r.gone) { r.gone = true; h.stream.onReset('remote', null); } break;
    case 'upstream-reset': if (canAnswer) { h.stream.respondReset('remote', 0, 'x'); r.response = 'over'; } break;
    case 'reply': if (r.filters[0] !== undefined) h.stream.reply(r.filters[0], new LocalReply(401, 'reply', 'r')); break;
    case 'own-reset': h.stream.reset('local'); break;
    case 'idle': h.advance(2000); break;
    case 'blocked': if (!over) h.stream.onBlocked(); break;
    case 'drained': if (!over) h.stream.onDrained(); break;
  }
}

/** What went out without heads, ends and the marks of added bodies. */
const bodyOf = (list: readonly string[], heads: RegExp): string => list.filter((x) => !heads.test(x)).map((x) => x.replace(/ end$/, '')).join('').replaceAll('+', '');

const side = fc.constantFrom<Side>('request', 'response');
const peaceful: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom<Step>('request', 'request', 'request-end', 'request-trailers', 'answer', 'answer-end', 'response', 'response', 'response-end', 'response-trailers', 'blocked', 'drained') },
  { weight: 4, arbitrary: fc.record({ resume: fc.nat(3), side }) }, { weight: 2, arbitrary: fc.record({ flush: fc.nat(3), side }) }, { weight: 1, arbitrary: fc.record({ pause: fc.nat(3), side }) }, { weight: 1, arbitrary: fc.record({ unpause: fc.nat(3), side }) },
);
const violent: fc.Arbitrary<Step> = fc.oneof({ weight: 6, arbitrary: peaceful }, { weight: 1, arbitrary: fc.constantFrom<Step>('reset', 'upstream-reset', 'reply', 'own-reset', 'idle') });
/** Who keeps bytes for later must look at trailers. */
const script = (words: readonly Word[]): fc.Arbitrary<{ words: Word[]; trailers: boolean }> => fc.record({ words: fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 6 }), trailers: fc.boolean() }).map((s) => ({ words: s.trailers ? s.words : s.words.map((w) => (w === 'later' ? 'push' : w)), trailers: s.trailers }));

function begin(scripts: readonly { words: readonly Word[]; trailers: boolean }[], limit: number, end: boolean): Run {
  const filters = scripts.map((s) => (s.trailers ? new ScriptedWithTrailers(s.words) : new Scripted(s.words)));
  const h = harness(filters, { limit, plan: { streamIdleTimeoutMs: 1000, maxStreamDurationMs: 60_000, requestTimeoutMs: 30_000 } });
  const r: Run = { h, filters, request: end ? 'over' : 'open', response: 'head', sentUp: '', sentDown: '', letter: 0, gone: false };
  h.request('POST', '/a', end);
  return r;
}

function atRest(r: Run): void {
  const { h } = r;
  if (h.ended() === 0) h.stream.onReset('connection-end', null);
  assert.deepEqual([h.ended(), h.logged(), h.terminal.ends, ...r.filters.map((f) => f.ends)], [1, 1, 1, ...r.filters.map(() => 1)], 'everything ends once');
  assert.equal(h.wheel.size, 0, 'no timer is left');
  assert.equal(activeStreams(h), 0);
  assert.equal(h.codec.pauses.size, 0, 'the source runs');
  const before = [h.codec.sent.list.length, h.terminal.got.list.length];
  for (const f of r.filters) for (const s of ['request', 'response'] as const) { h.stream.resume(f, s); h.stream.push(f, queueOf('late'), true, s); h.stream.reply(f, new LocalReply(500, '', 'late')); h.stream.pause(f, s); }
  h.stream.onData(bytesOf('late'), 0, 4, true);
  h.advance(100_000);
  assert.deepEqual([h.codec.sent.list.length, h.terminal.got.list.length], before, 'nothing after the end');
  assert.equal(h.codec.pauses.size, 0);
}

test('whatever happens in whatever order, a stream ends once and leaves nothing behind', () => {
  fc.assert(fc.property(fc.array(script([...WORDS, 'reply']), { maxLength: 3 }), fc.constantFrom(2, 1000), fc.boolean(), fc.array(violent, { maxLength: 30 }), (scripts, limit, end, steps) => {
    const r = begin(scripts, limit, end);
    for (const s of steps) step(r, s);
    atRest(r);
  }), { numRuns: 3000 });
});

test('without a reset or a reply every byte arrives once and in order, however filters hold, take and push', () => {
  fc.assert(fc.property(fc.array(script(WORDS), { maxLength: 3 }), fc.boolean(), fc.array(peaceful, { maxLength: 40 }), (scripts, end, steps) => {
    const r = begin(scripts, 1000, end);
    for (const s of steps) {
      step(r, s);
      assert.ok(r.sentUp.startsWith(bodyOf(r.h.terminal.got.list, /^(POST|trailers)/)), 'upstream sees what was sent, in order');
      assert.ok(r.sentDown.startsWith(bodyOf(r.h.codec.sent.list, /^(\d|trailers)/)), 'downstream too');
    }
    // Everything that waits is let go, both messages end: all of it must be there, and the ends too.
    const settle = (s: Side): void => { for (let i = 0; i < 12; i++) for (const f of r.filters) { f.flush(r.h.stream, s); r.h.stream.resume(f, s); } };
    settle('request');
    step(r, 'request-end');
    settle('request');
    if (r.h.ended() === 0) {
      assert.equal(bodyOf(r.h.terminal.got.list, /^(POST|trailers)/), r.sentUp);
      assert.match(r.h.terminal.got.list.at(-1)!, / end$|^trailers/);
    }
    step(r, 'answer'); settle('response'); step(r, 'response-end'); settle('response');
    assert.equal(r.h.ended(), 1);
    assert.equal(bodyOf(r.h.codec.sent.list, /^(\d|trailers)/), r.sentDown);
    atRest(r);
  }), { numRuns: 3000 });
});
