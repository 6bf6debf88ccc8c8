// One direction of a stream through its filters: shows head, body and trailers to one filter after the other, keeps what a filter holds back, and gives what has passed
// them all to the exit. The two sides (request-side.ts, response-side.ts) differ in the order of the filters, in the hooks, and in where the bytes come from and go to.
//
// A position is a place in this side's order: 0 is the first filter that sees a message. Each filter may hold at the same time as others behind it; a hold has the part of
// the message that its filter has not let go, and nothing passes it. A hook only returns its wish; what it asked for besides is queued and done once the chain has stopped.
import { ByteQueue } from '../base/byte-queue.ts';
import type { Headers } from '../headers/headers.ts';
import { LocalReply, type HttpFilter, type Verdict } from './filter.ts';

const EMPTY = new Uint8Array(0);

/** What one filter holds back. */
export class Hold {
  readonly at: number;
  /** The head is held as well: the filters behind have seen nothing yet. */
  readonly head: boolean;
  /** Goes on by itself once the message is whole; over the limit is an error. */
  whole: boolean;
  end: boolean;
  body: ByteQueue | null = null;
  trailers: Headers | null = null;
  constructor(at: number, head: boolean, whole: boolean, end: boolean) { this.at = at; this.head = head; this.whole = whole; this.end = end; }
}

export type Effects = (() => void)[];

/** What a chain needs of its stream. */
export interface ChainOwner {
  readonly bufferLimit: number;
  /** Hooks run from here: what filters ask for is queued. */
  enter(): void;
  /** No hook runs any more; gives what was asked for, to be done with `run` once the verdict has been carried out. */
  leave(): Effects | null;
  run(effects: Effects): void;
  /** A filter answers (request side), or replaces the response (response side). */
  replied(reply: LocalReply): void;
}

export abstract class FilterChain {
  protected filters: readonly HttpFilter[] = [];
  private readonly owner: ChainOwner;
  private holds: Hold[] | null = null;
  /** Who stops the source: holds over the limit, and filters with queues of their own. */
  private stoppers: Set<HttpFilter | Hold> | null = null;
  private closed = false;

  constructor(owner: ChainOwner) { this.owner = owner; }

  /** Position → index in the chain as configured, and back. */
  protected abstract order(n: number): number;
  protected abstract headHook(f: HttpFilter, end: boolean): Verdict;
  protected abstract hasDataHook(f: HttpFilter): boolean;
  protected abstract dataHook(f: HttpFilter, bytes: Uint8Array, start: number, end: number, last: boolean): Verdict;
  protected abstract hasTrailersHook(f: HttpFilter): boolean;
  protected abstract trailersHook(f: HttpFilter, trailers: Headers): Verdict;
  /** Behind the last filter. */
  protected abstract exitHead(end: boolean): void;
  protected abstract exitData(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  protected abstract exitTrailers(trailers: Headers): void;
  protected abstract stopSource(): void;
  protected abstract startSource(): void;
  /** More than the limit for a filter that wants the message whole. */
  protected abstract tooLarge(): void;

  install(filters: readonly HttpFilter[]): void { this.filters = filters; }

  head(from: number, end: boolean): void {
    if (this.closed) return;
    const filters = this.filters, count = filters.length;
    let open = end, verdict: Verdict = 'next', at = from;
    this.owner.enter();
    for (; at < count; at++) {
      verdict = this.headHook(filters[this.order(at)]!, open);
      if (verdict === 'next') continue;
      if (verdict !== 'next-open') break;
      open = false;
    }
    const asked = this.owner.leave();
    if (at === count) this.exitHead(open); else this.stoppedAtHead(at, verdict, open);
    if (asked !== null) this.owner.run(asked);
  }

  private stoppedAtHead(at: number, verdict: Verdict, end: boolean): void {
    if (verdict instanceof LocalReply) { this.owner.replied(verdict); return; }
    if (verdict === 'taken') return;
    const hold = this.hold(new Hold(at, true, verdict === 'hold-whole', end));
    if (hold.whole && end) this.release(hold);
  }

  data(from: number, bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (this.closed) return;
    const filters = this.filters, count = filters.length;
    let open = last, verdict: Verdict = 'next', at = from, hold: Hold | null = null;
    this.owner.enter();
    for (; at < count; at++) {
      const f = filters[this.order(at)]!;
      if (this.holds !== null && (hold = this.holdAt(at)) !== null) { verdict = this.hasDataHook(f) ? this.dataHook(f, bytes, start, end, open) : hold.whole ? 'hold-whole' : 'hold'; break; }
      if (!this.hasDataHook(f)) continue;
      verdict = this.dataHook(f, bytes, start, end, open);
      if (verdict === 'next') continue;
      if (verdict !== 'next-open') break;
      open = false;
    }
    const asked = this.owner.leave();
    if (at === count) this.exitData(bytes, start, end, open); else this.stoppedAtData(at, hold, verdict, bytes, start, end, open);
    if (asked !== null) this.owner.run(asked);
  }

  /** A filter stops the bytes, or lets go of what it held (`hold`) and of these with it. */
  private stoppedAtData(at: number, hold: Hold | null, verdict: Verdict, bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (verdict instanceof LocalReply) { this.owner.replied(verdict); return; }
    if (verdict === 'taken') return;
    if (verdict === 'hold' || verdict === 'hold-whole') {
      const to = hold ?? this.hold(new Hold(at, false, false, false));
      to.whole = verdict === 'hold-whole';
      this.keep(to, bytes, start, end, last);
      return;
    }
    this.release(hold!, false);
    this.data(at + 1, bytes, start, end, last && verdict === 'next');
  }

  /** One filter at a time: what it pushes in its hook passes before the trailers. */
  trailers(from: number, trailers: Headers): void {
    const filters = this.filters, count = filters.length;
    for (let at = from; at < count && !this.closed; at++) {
      const f = filters[this.order(at)]!, hook = this.hasTrailersHook(f);
      if (!hook && this.holds === null) continue;
      let verdict: Verdict = 'next';
      if (hook) {
        this.owner.enter();
        verdict = this.trailersHook(f, trailers);
        const asked = this.owner.leave();
        if (asked !== null) this.owner.run(asked);
        if (this.closed) return;
      }
      const hold = this.holds === null ? null : this.holdAt(at);
      if (!hook && hold !== null) verdict = hold.whole ? 'next' : 'hold';
      if (verdict instanceof LocalReply) { this.owner.replied(verdict); return; }
      if (verdict === 'taken') return;
      if (verdict === 'hold') { (hold ?? this.hold(new Hold(at, false, false, false))).trailers = trailers; return; }
      if (hold !== null) { hold.trailers = trailers; this.release(hold); return; }
    }
    if (!this.closed) this.exitTrailers(trailers);
  }

  private keep(hold: Hold, bytes: Uint8Array, start: number, end: number, last: boolean): void {
    if (end > start) (hold.body ??= new ByteQueue()).pushCopy(bytes, start, end);
    if (last) hold.end = true;
    const limit = this.owner.bufferLimit;
    if (limit > 0 && hold.body !== null && hold.body.length > limit) {
      if (hold.whole) { this.tooLarge(); return; }
      this.stop(hold);
    }
    if (hold.whole && last) this.release(hold);
  }

  /** Lets go of what is held: on from the filter behind. `end` false: more comes right behind it. */
  private release(hold: Hold, end = true): void {
    const at = this.holds?.indexOf(hold) ?? -1;
    if (at < 0) return;
    if (this.holds!.length === 1) this.holds = null; else this.holds!.splice(at, 1);
    this.start(hold);
    const { body, trailers } = hold, next = hold.at + 1, ends = end && hold.end && trailers === null;
    if (hold.head) this.head(next, ends && (body === null || body.length === 0));
    if (this.closed) return;
    let ended = hold.head && (body === null || body.length === 0);
    if (body !== null) {
      for (let chunk = body.shift(); chunk !== undefined; chunk = body.shift()) {
        const last = ends && body.length === 0;
        this.data(next, chunk, 0, chunk.length, last);
        if (this.closed) return;
        ended ||= last;
      }
    }
    if (ends && !ended) this.data(next, EMPTY, 0, 0, true);
    else if (trailers !== null) this.trailers(next, trailers);
  }

  /** For StreamView: by filter, from outside its hooks. */
  resume(f: HttpFilter): void { const hold = this.holdOf(f); if (hold !== null) this.release(hold); }
  heldBody(f: HttpFilter): ByteQueue | null { const hold = this.holdOf(f); return hold === null ? null : hold.body ??= new ByteQueue(); }

  push(f: HttpFilter, data: ByteQueue, last: boolean): void {
    const hold = this.holdOf(f);
    if (hold !== null) { (hold.body ??= new ByteQueue()).append(data); if (last) hold.end = true; return; }
    const next = this.positionOf(f) + 1;
    if (data.length === 0) { if (last && !this.closed) this.data(next, EMPTY, 0, 0, true); return; }
    for (let chunk = data.shift(); chunk !== undefined && !this.closed; chunk = data.shift()) this.data(next, chunk, 0, chunk.length, last && data.length === 0);
  }

  pushTrailers(f: HttpFilter, trailers: Headers): void {
    const hold = this.holdOf(f);
    if (hold !== null) hold.trailers = trailers; else if (!this.closed) this.trailers(this.positionOf(f) + 1, trailers);
  }

  /** Bytes that wait for a filter. */
  get heldBytes(): number { let n = 0; if (this.holds !== null) for (const h of this.holds) if (h.body !== null) n += h.body.length; return n; }

  /** Nothing passes any more; what is held is dropped. */
  close(): void {
    this.closed = true;
    this.holds = null;
    if (this.stoppers !== null && this.stoppers.size > 0) { this.stoppers = null; this.startSource(); }
  }

  stop(who: HttpFilter | Hold): void {
    if (this.closed) return;
    const stoppers = this.stoppers ??= new Set();
    if (stoppers.size === 0) this.stopSource();
    stoppers.add(who);
  }
  start(who: HttpFilter | Hold): void { if (this.stoppers?.delete(who) === true && this.stoppers.size === 0) this.startSource(); }

  private hold(hold: Hold): Hold { (this.holds ??= []).push(hold); return hold; }
  private holdAt(at: number): Hold | null { for (const h of this.holds!) if (h.at === at) return h; return null; }
  private positionOf(f: HttpFilter): number { return this.order(this.filters.indexOf(f)); }
  private holdOf(f: HttpFilter): Hold | null { return this.holds === null ? null : this.holdAt(this.positionOf(f)); }
}
