// Small writes of a turn on their way into TLS records: what one session is given before the turn ends, or before another session writes, becomes one record in place
// of several (a response's head and its body), and one call of the engine. One stage for all sessions of a worker; it never holds more than a record.
import type { Later } from '../../loop/later.ts';
import type { TlsSession } from './engine.ts';

/** Plaintext of one record at most (RFC 8446 5.1). */
const RECORD_BYTES = 16_384;
/** Writes from this size on go straight to the engine: copying them would cost more than the record that it saves. */
const DIRECT_BYTES = 4096;

export class WriteStage {
  private readonly bytes = Buffer.allocUnsafeSlow(RECORD_BYTES);
  private readonly later: Later;
  private owner: TlsSession | null = null;
  private length = 0;
  private asked = false;

  constructor(later: Later) { this.later = later; }

  private static readonly stages = new WeakMap<Later, WriteStage>();
  /** The one of a worker. */
  static of(later: Later): WriteStage {
    let stage = WriteStage.stages.get(later);
    if (stage === undefined) { stage = new WriteStage(later); WriteStage.stages.set(later, stage); }
    return stage;
  }

  /** A byte string (latin1). */
  writeText(session: TlsSession, text: string): void {
    if (text.length >= DIRECT_BYTES) { const bytes = Buffer.from(text, 'latin1'); this.flush(); session.send(bytes, 0, bytes.length); return; }
    this.room(session, text.length);
    this.bytes.latin1Write(text, this.length);
    this.length += text.length;
  }

  write(session: TlsSession, bytes: Uint8Array, start: number, end: number): void {
    const n = end - start;
    if (n >= DIRECT_BYTES) { this.flush(); session.send(bytes, start, end); return; }
    this.room(session, n);
    this.bytes.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.length);
    this.length += n;
  }

  private room(session: TlsSession, n: number): void {
    if (this.owner !== session || this.length + n > RECORD_BYTES) { this.flush(); this.owner = session; }
    if (!this.asked) { this.asked = true; this.later.soon(this.atTurnEnd); }
  }
  private readonly atTurnEnd = (): void => { this.asked = false; this.flush(); };

  /** Bytes of this session that the engine has not been given yet. */
  heldFor(session: TlsSession): number { return this.owner === session ? this.length : 0; }
  /** Before whatever must come behind this session's writes. */
  flushOf(session: TlsSession): void { if (this.owner === session) this.flush(); }
  /** The session is over: what waits for it goes with it. */
  drop(session: TlsSession): void { if (this.owner === session) { this.owner = null; this.length = 0; } }

  private flush(): void {
    const { owner, length } = this;
    if (owner === null) return;
    this.owner = null;
    this.length = 0;
    if (length > 0) owner.send(this.bytes, 0, length);
  }
}
