// The last answer to a health check that was passed through, and how long it stands for others: one for the whole process, in a shared record.
//
//   words:  | 0 answer, 0: none yet | 1-2 until when, ms on the wall clock: what is above 31 bits, the low 31 bits |
//
// Nobody waits for anybody: who reads while another worker writes sees the new answer with the old time or the other way round, and both were true a moment ago.
import type { ProcessRecord } from '../../../net/shared-limits.ts';

const ANSWER = 0, HIGH = 1, LOW = 2, HALF = 2 ** 31, DEGRADED = 1024;

export class CheckCache {
  private readonly record: ProcessRecord;
  constructor(record: ProcessRecord) { this.record = record; }

  /** The answer that stands at `wallMs`; 0: none. */
  answer(wallMs: number): number {
    const { record } = this;
    return wallMs < record.load(HIGH) * HALF + record.load(LOW) ? record.load(ANSWER) : 0;
  }
  static status(answer: number): number { return answer % DEGRADED; }
  static degraded(answer: number): boolean { return answer >= DEGRADED; }

  keep(status: number, degraded: boolean, untilMs: number): void {
    const { record } = this, until = Math.floor(untilMs);
    record.store(ANSWER, status % DEGRADED + (degraded ? DEGRADED : 0));
    record.store(HIGH, Math.floor(until / HALF));
    record.store(LOW, until % HALF);
  }
}
