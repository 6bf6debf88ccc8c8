// What all requests of one router filter share, resolved when the listener is installed.
import type { HttpFilter, HttpFilterFactory, ResponseEntry, StreamView } from '../http/filter.ts';
import type { WorkerEnv } from '../net/worker-env.ts';
import type { AccessLog } from '../observe/accesslog/access-log.ts';
import { HCM_SCHEMA } from '../observe/stats/schemas.ts';
import { StatBlock } from '../observe/stats/stat-block.ts';
import type { RouterConfig } from '../plan/router-plan.ts';
import type { ClusterDirectory } from '../upstream/upstream.ts';
import type { BodyRenderer } from './redirect.ts';
import { RouterFilter } from './router.ts';
import { UpstreamLog } from './upstream-log.ts';

export interface RouterParts { readonly env: WorkerEnv; readonly clusters: ClusterDirectory; readonly renderBody: BodyRenderer; readonly accessLog: (kind: string, body: unknown) => AccessLog; /** Stands in x-forwarded-for for requests of our own. */ readonly machineAddress: string }

export class RouterFactory implements HttpFilterFactory {
  readonly name: string;
  readonly plan: RouterConfig;
  readonly parts: RouterParts;
  readonly stats: StatBlock;
  readonly upstreamLog: UpstreamLog | null;
  constructor(name: string, plan: RouterConfig, parts: RouterParts, statPrefix: string) {
    this.name = name; this.plan = plan; this.parts = parts;
    this.upstreamLog = plan.upstreamLogs.length === 0 ? null : new UpstreamLog(plan.upstreamLogs.map((l) => parts.accessLog(l.kind, l.body)), plan.upstreamLogAtStart);
    this.stats = new StatBlock(parts.env.stats, HCM_SCHEMA, `http.${statPrefix}`);
  }
  create(s: StreamView & ResponseEntry): HttpFilter { return new RouterFilter(s, this); }
}
