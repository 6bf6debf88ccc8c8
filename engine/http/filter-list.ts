// The filters of one chain as configured (of a connection manager, of one of its upgrades, or behind the router), and what a stream gets of them. One object per chain,
// made when the plan is installed.
import type { HttpFilterPlan } from '../plan/hcm-plan.ts';
import type { HttpFilter, HttpFilterFactory, ResponseEntry, StreamView } from './filter.ts';
import type { ChainFilters, Route } from './route.ts';

export type MakeHttpFilter = (kind: string, body: unknown, name: string, index: number) => HttpFilterFactory;

const PASS: HttpFilter = {};

export class FilterList implements ChainFilters {
  readonly filterNames: readonly string[];
  private readonly entries: readonly { readonly factory: HttpFilterFactory; readonly disabled: boolean }[];

  constructor(plans: readonly HttpFilterPlan[], make: MakeHttpFilter) {
    this.filterNames = plans.map((f) => f.name);
    this.entries = plans.map((f, i) => ({ factory: make(f.filter.kind, f.filter.body, f.name, i), disabled: f.disabled }));
  }

  routeConfig(filterIndex: number, plan: unknown): unknown {
    const { factory } = this.entries[filterIndex]!;
    return factory.routeConfig === undefined ? plan : factory.routeConfig(plan);
  }

  /** The filters of one stream: those that the chain and the route leave switched on; the others let everything pass. */
  build(stream: StreamView & ResponseEntry, route: Route | null): HttpFilter[] {
    const { entries } = this, filters: HttpFilter[] = [], configs = route === null ? null : route.filterConfigs(this);
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      if ((configs === null ? undefined : configs[i]!.disabled) ?? entry.disabled) filters.push(PASS); else filters.push(entry.factory.create(stream));
    }
    return filters;
  }
}
