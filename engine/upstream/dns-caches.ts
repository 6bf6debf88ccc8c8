// Names that requests bring, resolved by control for the whole process (Envoy: DNS cache of the dynamic forward proxy). A worker knows what control has told it, and asks
// for the rest; whoever waits is told once. Names in use are asked for again from time to time, so that control keeps them.
import type { Clock } from '../loop/clock.ts';

export interface DnsAnswer { /** Empty: the name could not be resolved. */ readonly addresses: readonly string[]; /** Why not, '' if it could. */ readonly error: string }
export interface DnsWaiter { onResolved(answer: DnsAnswer): void }

/** How often at least control hears that a name is used: well below the shortest host_ttl. */
const TOUCH_MS = 500;
/** Waiting requests of one cache and worker (dns_cache_circuit_breaker.max_pending_requests' default). */
const MOST_WAITING = 1024;

class DnsCache {
  readonly known = new Map<string, { answer: DnsAnswer; toldMs: number }>();
  readonly waiting = new Map<string, Set<DnsWaiter>>();
  waiters = 0;
}

export class DnsCaches {
  private readonly ask: (cache: string, host: string) => void;
  private readonly clock: Clock;
  private readonly caches = new Map<string, DnsCache>();
  constructor(ask: (cache: string, host: string) => void, clock: Clock) { this.ask = ask; this.clock = clock; }

  private cache(name: string): DnsCache { let c = this.caches.get(name); if (c === undefined) { c = new DnsCache(); this.caches.set(name, c); } return c; }

  /** What is known of a name; null: nothing. */
  get(cache: string, host: string): DnsAnswer | null {
    const known = this.cache(cache).known.get(host);
    if (known === undefined) return null;
    const now = this.clock.nowMs();
    if (now - known.toldMs >= TOUCH_MS) { known.toldMs = now; this.ask(cache, host); }
    return known.answer;
  }

  /** The answer if it is known; else `waiter` is told when it is. 'overflow': too many wait. */
  resolve(cache: string, host: string, waiter: DnsWaiter): DnsAnswer | 'waiting' | 'overflow' {
    const known = this.get(cache, host), c = this.cache(cache);
    if (known !== null) return known;
    if (c.waiters >= MOST_WAITING) return 'overflow';
    let list = c.waiting.get(host);
    if (list === undefined) { list = new Set(); c.waiting.set(host, list); this.ask(cache, host); }
    list.add(waiter);
    c.waiters++;
    return 'waiting';
  }

  cancel(cache: string, host: string, waiter: DnsWaiter): void {
    const c = this.cache(cache), list = c.waiting.get(host);
    if (list === undefined || !list.delete(waiter)) return;
    c.waiters--;
    if (list.size === 0) c.waiting.delete(host);
  }

  /** Control has resolved a name anew; null: it is forgotten. */
  install(cache: string, host: string, answer: DnsAnswer | null): void {
    const c = this.cache(cache);
    if (answer === null) { c.known.delete(host); return; }
    c.known.set(host, { answer, toldMs: this.clock.nowMs() });
    const list = c.waiting.get(host);
    if (list === undefined) return;
    c.waiting.delete(host);
    c.waiters -= list.size;
    for (const w of list) w.onResolved(answer);
  }
}
