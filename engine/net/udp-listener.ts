// A UDP listener of one worker: binds, hands datagrams to its filter. A changed listener keeps its sockets where the addresses stay.
import type { ListenerPlan } from '../plan/listener-plan.ts';
import { formatAddress } from './address.ts';
import type { DatagramSocket } from './transport/datagrams.ts';
import type { UdpFilter } from './udp-filter.ts';
import type { WorkerEnv } from './worker-env.ts';

export class UdpListener {
  private readonly env: WorkerEnv;
  private plan: ListenerPlan;
  private filter: UdpFilter;
  private sockets: DatagramSocket[] = [];
  /** Told of each bind: addresses, or errno name. */
  private readonly onBound: (addresses: readonly string[], error: string) => void;
  private closed = false;

  constructor(plan: ListenerPlan, filter: UdpFilter, env: WorkerEnv, onBound: (addresses: readonly string[], error: string) => void) { this.plan = plan; this.filter = filter; this.env = env; this.onBound = onBound; this.bind(); }

  get direction(): ListenerPlan['direction'] { return this.plan.direction; }

  /** A new version. */
  replace(plan: ListenerPlan, filter: UdpFilter): void {
    const same = JSON.stringify([plan.address, plan.additional, plan.reusePort]) === JSON.stringify([this.plan.address, this.plan.additional, this.plan.reusePort]);
    this.filter.close();
    this.filter = filter;
    this.plan = plan;
    if (same) { this.told(''); return; }
    this.unbind();
    this.bind();
  }

  private told(error: string): void { this.onBound(this.sockets.map((s) => formatAddress(s.local)), error); }

  private bind(): void {
    const { plan, env } = this;
    if (!plan.bindToPort || (!plan.reusePort && env.workerId !== 0)) { this.told(''); return; }
    void Promise.all([plan.address, ...plan.additional.map((a) => a.address)].map((bind) => {
      let socket: DatagramSocket | null = null;
      return env.transport.datagrams({ bind, family: bind.kind === 'ip' ? bind.family : 4, reusePort: plan.reusePort }, (bytes, start, end, from) => { if (socket !== null) this.filter.onDatagram(socket, bytes, start, end, from); }).then((s) => { if (!('error' in s)) socket = s; return s; });
    })).then((results) => {
      const failed = results.find((r) => 'error' in r);
      for (const r of results) if (!('error' in r)) { if (this.closed || this.plan !== plan) r.close(); else this.sockets.push(r); }
      if (!this.closed) this.told(failed !== undefined && 'error' in failed ? failed.error : '');
    });
  }

  private unbind(): void { for (const s of this.sockets) s.close(); this.sockets = []; }
  /** No more datagrams come in; sessions end. */
  close(): void { if (this.closed) return; this.closed = true; this.unbind(); this.filter.close(); }
}
