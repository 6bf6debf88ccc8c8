// Transport sockets by the name of their configuration: what a filter chain or a cluster puts between the plain socket and its bytes.
import type { ExtensionPlan } from '../plan/extension-plan.ts';
import type { DownstreamTlsPlan, UpstreamTlsPlan } from '../plan/tls-plan.ts';
import { DownstreamTls, UpstreamTls, type DownstreamSocketFactory, type UpstreamSocketFactory } from './tls/contexts.ts';
import type { WorkerEnv } from './worker-env.ts';

type Downstream = (body: unknown, env: WorkerEnv, scope: string) => DownstreamSocketFactory;
type Upstream = (body: unknown, env: WorkerEnv, scope: string) => UpstreamSocketFactory;

const DOWNSTREAM: ReadonlyMap<string, Downstream> = new Map<string, Downstream>([
  ['envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', (body, env, scope) => new DownstreamTls(body as DownstreamTlsPlan, env, scope)],
]);
const UPSTREAM: ReadonlyMap<string, Upstream> = new Map<string, Upstream>([
  ['envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', (body, env, scope) => new UpstreamTls(body as UpstreamTlsPlan, env, scope)],
]);

function make<F>(table: ReadonlyMap<string, (body: unknown, env: WorkerEnv, scope: string) => F>, plan: ExtensionPlan, env: WorkerEnv, scope: string): F {
  const m = table.get(plan.kind);
  if (m === undefined) throw new Error(`no factory for ${plan.kind}`); // the control thread refuses what it does not know, so this is our bug
  return m(plan.body, env, scope);
}

/** `scope`: 'listener.ADDRESS', for stats. null: cleartext. */
export function downstreamSocket(plan: ExtensionPlan | null, env: WorkerEnv, scope: string): DownstreamSocketFactory | null { return plan === null ? null : make(DOWNSTREAM, plan, env, scope); }
/** `scope`: 'cluster.NAME'. */
export function upstreamSocket(plan: ExtensionPlan | null, env: WorkerEnv, scope: string): UpstreamSocketFactory | null { return plan === null ? null : make(UPSTREAM, plan, env, scope); }
