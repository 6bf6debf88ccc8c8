// Sessions of the node:tls engine. Tickets under several keys: Node's own `ticketKeys` has but one, so OpenSSL's callback is answered, as Node has it for its servers.
// Sessions of TLS 1.2 that the server keeps, for clients without tickets: as Node asks a tls.Server for them.
import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { SecureContext } from 'node:tls';

const NAME = 16, PART = 16;
/** What OpenSSL is told: no key of ours, a full handshake; good; good, and a new ticket is due. */
const UNKNOWN = 0, GOOD = 1, RENEW = 2;
type Answer = [number, Buffer, Buffer, Buffer?, Buffer?];
interface TicketContext { enableTicketKeyCallback(): void; onticketkeycallback: (name: Buffer, iv: Buffer, seals: boolean) => Answer }

interface Key { readonly name: Buffer; readonly hmac: Buffer; readonly aes: Buffer }

export class TicketKeys {
  /** The first one seals, all open. */
  private readonly keys: readonly Key[];

  constructor(seeds: readonly Uint8Array[]) {
    this.keys = seeds.map((seed) => { const b = createHash('sha384').update(seed).digest(); return { name: b.subarray(0, NAME), hmac: b.subarray(NAME, NAME + PART), aes: b.subarray(NAME + PART, NAME + 2 * PART) }; });
  }

  /** Has the context's tickets sealed and opened here. */
  serve(context: SecureContext): void {
    const inner = context.context as TicketContext;
    inner.enableTicketKeyCallback();
    inner.onticketkeycallback = (name, _iv, seals) => this.answer(name, seals);
  }

  private answer(name: Buffer, seals: boolean): Answer {
    const first = this.keys[0]!;
    if (seals) return [GOOD, first.hmac, first.aes, first.name, randomBytes(PART)];
    const at = this.keys.findIndex((k) => k.name.equals(name)), key = this.keys[at] ?? first;
    return [at < 0 ? UNKNOWN : at === 0 ? GOOD : RENEW, key.hmac, key.aes];
  }
}

/** Sessions kept at a time; the oldest one goes first. */
const KEPT = 1024;

/** What stands for the tls.Server of a context's connections. A worker keeps its own sessions: another one makes a full handshake. */
export class KeptSessions extends EventEmitter {
  private readonly sessions = new Map<string, Buffer>();
  constructor() {
    super();
    this.on('newSession', (id: Buffer, session: Buffer, done: () => void) => { this.keep(id.toString('latin1'), session); done(); });
    this.on('resumeSession', (id: Buffer, done: (error: null, session: Buffer | null) => void) => { done(null, this.sessions.get(id.toString('latin1')) ?? null); });
  }
  private keep(id: string, session: Buffer): void {
    this.sessions.set(id, session);
    if (this.sessions.size > KEPT) for (const oldest of this.sessions.keys()) { this.sessions.delete(oldest); break; }
  }
}
