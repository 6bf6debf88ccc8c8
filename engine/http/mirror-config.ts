// RequestMirrorPolicy from configuration.
import { compileMutations } from '../observe/format/config.ts';
import type { MirrorPlan } from '../plan/route-plan.ts';
import type { CompileContext, ConfigMessage } from '../proto/config-message.ts';
import { toByteString } from '../headers/headers.ts';
import { compileFraction } from '../observe/match/config.ts';

/** request_mirror_policies of a route, a virtual host, a route configuration or a cluster, whose own are looked for only when a request comes (`ctx` null). */
export function compileMirrors(m: ConfigMessage, ctx: CompileContext | null): MirrorPlan[] {
  return m.list('request_mirror_policies').map((p) => {
    if (p.has('cluster') && p.has('cluster_header')) p.error('cluster_header', `Only one of cluster '${p.str('cluster')}' or cluster_header '${p.str('cluster_header')}' in request mirror policy can be specified`);
    if (!p.has('cluster') && !p.has('cluster_header')) p.error('', 'Exactly one of cluster or cluster_header in request mirror policy need to be specified');
    if (p.has('cluster')) ctx?.needsCluster(p.str('cluster'), p, 'cluster');
    p.noop('trace_sampled', 'nothing is traced yet');
    return {
      cluster: p.str('cluster'), header: p.str('cluster_header').toLowerCase(), fraction: compileFraction(p.msg('runtime_fraction')), suffix: !p.bool('disable_shadow_host_suffix_append'), host: toByteString(p.str('host_rewrite_literal')),
      mutations: compileMutations(p.list('request_headers_mutations')),
    };
  });
}
