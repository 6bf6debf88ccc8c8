// The process's own keys for session tickets, for contexts that name none: made here, sealed to all workers, and rotated as BoringSSL rotates those of a context (a
// key seals for two days and opens for two more). Keys are random, not derived: who gets at a key later cannot open what was said before.
import { randomBytes } from 'node:crypto';
import { pack } from '../../plan/plan-wire.ts';
import type { PlanRecord } from '../../plan/records.ts';
import { seal } from '../../plan/sealed.ts';
import { PROCESS_TICKETS, type TicketSecretPlan } from '../../plan/tls-plan.ts';

/** SSL_DEFAULT_TICKET_KEY_ROTATION_INTERVAL. */
const ROTATION_MS = 2 * 86_400_000;

export interface TicketRotationEnv {
  emit(records: readonly PlanRecord[]): void;
  after(ms: number, task: () => void): () => void;
  /** What the process seals its secrets under. */
  readonly key: Uint8Array;
}

export class TicketRotation {
  private readonly env: TicketRotationEnv;
  private current = randomBytes(32);
  private previous: Buffer | null = null;

  constructor(env: TicketRotationEnv) { this.env = env; env.after(ROTATION_MS, this.rotate); }

  private readonly rotate = (): void => {
    this.previous?.fill(0);
    this.previous = this.current;
    this.current = randomBytes(32);
    this.env.after(ROTATION_MS, this.rotate);
    this.env.emit(this.records());
  };

  /** For a worker that starts. */
  records(): PlanRecord[] {
    const plan: TicketSecretPlan = { kind: 'tickets', keys: this.previous === null ? [this.current] : [this.current, this.previous] };
    return [{ kind: 'secret', name: PROCESS_TICKETS, body: seal(this.env.key, Buffer.from(pack(plan))) }];
  }
}
