// The buffer filter (Envoy: BufferFilter): a request goes on only when it is whole, with a content-length; a larger one than allowed is 413.
import type { Headers, RequestHeaders } from '../../../headers/headers.ts';
import type { HttpFilter, HttpFilterFactory, StreamView, Verdict } from '../../../http/filter.ts';
import type { BufferPlan } from '../../../plan/http-filter-plans.ts';

export class BufferFactory implements HttpFilterFactory {
  readonly name: string;
  readonly index: number;
  readonly plan: BufferPlan;
  constructor(name: string, index: number, plan: BufferPlan) { this.name = name; this.index = index; this.plan = plan; }
  create(): HttpFilter { return new BufferFilter(this); }
}

class BufferFilter implements HttpFilter {
  private readonly factory: BufferFactory;
  private on = false;
  private length = 0;
  constructor(factory: BufferFactory) { this.factory = factory; }

  onRequestHeaders(s: StreamView, headers: RequestHeaders, end: boolean): Verdict {
    const { maxBytes } = (s.routeConfig(this.factory.index) as BufferPlan | undefined) ?? this.factory.plan;
    // What has no end of its own (upgrades, CONNECT) is never whole.
    if (end || maxBytes === 0 || headers.protocol !== '' || headers.method === 'CONNECT') return 'next';
    this.on = true;
    s.setBufferLimit(maxBytes);
    return 'hold-whole';
  }
  onRequestData(s: StreamView, _bytes: Uint8Array, start: number, end: number, last: boolean): Verdict {
    if (!this.on) return 'next';
    this.length += end - start;
    if (last) this.setLength(s.request);
    return 'hold-whole';
  }
  onRequestTrailers(s: StreamView, _trailers: Headers): Verdict { if (this.on) this.setLength(s.request); return 'next'; }

  private setLength(headers: RequestHeaders): void {
    if (headers.has('content-length')) return;
    headers.remove('transfer-encoding');
    headers.add('content-length', String(this.length));
  }
}
