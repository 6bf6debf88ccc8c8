// TCP health check: a connection that is accepted, or what is sent answered by the expected blocks in order.
import type { SocketSink, TransportSocket } from '../../net/transport/transport.ts';
import type { TcpCheckPlan } from '../../plan/health-plan.ts';
import { BlockSearch } from './block-search.ts';
import type { Probe, ProbeConnector, ProbeResult, ProbeTarget } from './probe.ts';

const NETWORK: ProbeResult = { ok: false, type: 'NETWORK', retriable: false };
const GOOD: ProbeResult = { ok: true, degraded: false };

export class TcpProbe implements Probe, SocketSink {
  private readonly plan: TcpCheckPlan;
  private readonly target: ProbeTarget;
  private readonly connector: ProbeConnector;
  private readonly reuse: boolean;
  private readonly search: BlockSearch;
  private socket: TransportSocket | null = null;
  private done: ((result: ProbeResult) => void) | null = null;

  constructor(plan: TcpCheckPlan, target: ProbeTarget, connector: ProbeConnector, reuse: boolean) {
    this.plan = plan; this.target = target; this.connector = connector; this.reuse = reuse;
    this.search = new BlockSearch(plan.receive, 0);
  }

  start(done: (result: ProbeResult) => void): void {
    this.done = done;
    this.search.clear();
    if (this.socket === null) this.socket = this.connector.connect(this.target.address, this); else this.send();
  }

  private send(): void { if (this.plan.send !== null) this.socket!.write(this.plan.send, 0, this.plan.send.length); }

  private finish(result: ProbeResult, keep: boolean): void {
    const done = this.done;
    this.done = null;
    if (!keep) this.drop();
    done?.(result);
  }

  private drop(): void { this.socket?.destroy('now'); this.socket = null; }
  abort(): void { this.done = null; this.drop(); }
  close(): void { this.abort(); }

  onConnect(): void {
    if (this.plan.send !== null) this.send();
    // Without anything to receive, being connected is the answer.
    if (this.plan.receive.length === 0) this.finish(GOOD, this.reuse && this.plan.send !== null);
  }
  onData(bytes: Buffer, start: number, end: number): void {
    if (this.done === null) return;
    this.search.add(bytes, start, end);
    if (this.plan.receive.length > 0 && this.search.found) this.finish(GOOD, this.reuse);
  }
  onEnd(): void { this.onClose(''); }
  onClose(_error: string): void { this.drop(); this.finish(NETWORK, false); }
  onBlocked(): void {}
  onDrained(): void {}
}
