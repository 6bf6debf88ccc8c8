// What probes by HTTP exchange have in common, HTTP's and gRPC's: a connection that is kept where the host lets it, one exchange at a time on it, and one call of `done`.
import type { PeerFault } from '../../base/fault.ts';
import type { ClientCodec, ClientHost, ClientStream, CodecOutput, ResetReason, ResponseSink } from '../../codec/codec.ts';
import { RequestHeaders, type Headers, type ResponseHeaders } from '../../headers/headers.ts';
import type { Clock } from '../../loop/clock.ts';
import { HeaderMutations } from '../../observe/format/header-mutation.ts';
import type { OperatorEnv } from '../../observe/format/operators.ts';
import { ConnectionFacts, StreamFacts } from '../../observe/stream-facts.ts';
import type { HeaderMutationPlan } from '../../plan/header-mutation-plan.ts';
import { ProbeConnection, type ConnectionOwner } from './probe-connection.ts';
import type { Probe, ProbeConnector, ProbeResult, ProbeTarget } from './probe.ts';

export interface ExchangeProbeEnv {
  readonly connector: ProbeConnector;
  makeCodec(host: ClientHost, output: CodecOutput): ClientCodec;
  readonly reuse: boolean;
  readonly operators: OperatorEnv;
  readonly clock: Clock;
}

const NETWORK: ProbeResult = { ok: false, type: 'NETWORK', retriable: false };

export abstract class ExchangeProbe implements Probe, ResponseSink, ConnectionOwner {
  protected readonly target: ProbeTarget;
  protected readonly env: ExchangeProbeEnv;
  /** What the answer says; told when the exchange is over. */
  protected result: ProbeResult | null = null;
  private readonly mutations: HeaderMutations;
  private connection: ProbeConnection | null = null;
  private done: ((result: ProbeResult) => void) | null = null;

  constructor(target: ProbeTarget, env: ExchangeProbeEnv, headers: HeaderMutationPlan) {
    this.target = target; this.env = env;
    this.mutations = new HeaderMutations(headers, env.operators, env.clock);
  }

  /** Forgets the answer before. */
  protected abstract clear(): void;
  protected abstract send(stream: ClientStream): void;

  start(done: (result: ProbeResult) => void): void {
    this.done = done;
    this.result = null;
    this.clear();
    this.connection ??= new ProbeConnection(this.target.address, this.env.connector, (host, output) => this.env.makeCodec(host, output), this);
    const stream = this.connection.open(this);
    if (stream !== 'full') this.send(stream); // a full one still answers and is on its way out; time will tell
  }

  /** The head that every check has, `authority` where one is configured. */
  protected head(method: string, path: string, authority: string): RequestHeaders {
    const { target } = this, h = new RequestHeaders();
    h.method = method; h.path = path; h.scheme = this.env.connector.secured ? 'https' : 'http';
    h.authority = authority || target.hostname || target.clusterName;
    return h;
  }

  /** The configured headers on it. */
  protected mutated(h: RequestHeaders, stream: ClientStream): RequestHeaders {
    // What formatters of added headers may look at.
    const { clock } = this.env, facts = new StreamFacts(new ConnectionFacts());
    facts.request = h;
    facts.protocol = stream.protocol;
    facts.startMs = clock.nowMs();
    facts.startWallMs = clock.wallMs();
    this.mutations.apply(h, facts);
    return h;
  }

  private finish(result: ProbeResult, keep: boolean): void {
    const { done } = this;
    this.done = null;
    if (!keep) this.drop();
    done?.(result);
  }

  private drop(): void { this.connection?.destroy(); this.connection = null; }
  abort(): void { this.done = null; this.drop(); }
  close(): void { this.abort(); }

  // ResponseSink
  onInformational(): void {}
  abstract onHeaders(headers: ResponseHeaders, end: boolean): void;
  abstract onData(bytes: Uint8Array, start: number, end: number, last: boolean): void;
  abstract onTrailers(trailers: Headers): void;
  onReset(_reason: ResetReason, _fault: PeerFault | null): void { this.finish(NETWORK, false); }
  onBlocked(): void {}
  onDrained(): void {}

  // ConnectionOwner
  onExchangeDone(reusable: boolean): void { const { result } = this; if (result !== null) { this.result = null; this.finish(result, reusable && this.env.reuse); } }
  onGone(): void { this.connection = null; const { result } = this; this.result = null; this.finish(result ?? NETWORK, false); }
}
