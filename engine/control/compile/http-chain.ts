// Chains of HTTP filters from configuration: of a connection manager, of its upgrades, and of upstream requests (behind the router). All have one terminal filter,
// which is the last; Envoy's words for what breaks that.
import type { ConfigMessage, ExtensionPlan, HttpChainKind } from '../../proto/config-message.ts';

interface FilterPlan { readonly name: string; readonly filter: ExtensionPlan; readonly disabled: boolean }

const CODEC = '.upstream_codec.v3.UpstreamCodec', ROUTER = '.router.v3.Router';
const CODEC_ONLY = "The codec filter is the only valid terminal upstream HTTP filter, use 'envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec'";

function misplaced(chain: HttpChainKind, name: string, kind: string, terminal: boolean): string {
  // The cluster's chain has one fault for all.
  if (chain === 'upstream http') return CODEC_ONLY;
  const type = kind.replace(/^envoy\.extensions\./, 'envoy.').replace(/\.v\d.*$/, '');
  if (terminal) return `Error: terminal filter named ${name} of type ${type} must be the last filter in a ${chain} filter chain.`;
  return `Error: non-terminal filter named ${name} of type ${type} is the last filter in a ${chain} filter chain.${chain === 'router upstream http' ? ' When upstream_http_filters are specified, they must explicitly end with an UpstreamCodec filter.' : ''}`;
}

/** Filters of a chain in order, the terminal one included. */
export function compileHttpChain(list: readonly ConfigMessage[], chain: HttpChainKind, extension: (category: string, config: ConfigMessage) => ExtensionPlan | null): readonly FilterPlan[] {
  const upstream = chain === 'upstream http' || chain === 'router upstream http', out: FilterPlan[] = [];
  list.forEach((f, i) => {
    const name = f.str('name'), disabled = f.bool('disabled'); // read though the filter may be refused: one fault, one report
    f.unsupported('config_discovery');
    f.noop('is_optional', 'a type that is not supported is refused');
    const config = f.any('typed_config');
    if (config === undefined) { if (!f.has('typed_config')) f.error('', `no typed_config for filter '${name}'`); return; }
    const plan = extension(upstream ? 'envoy.filters.http.upstream' : 'envoy.filters.http', config);
    if (plan === null) return;
    const terminal = plan.kind.endsWith(upstream ? CODEC : ROUTER);
    if (terminal !== (i === list.length - 1)) f.error('', misplaced(chain, name, plan.kind, terminal));
    out.push({ name, filter: plan, disabled });
  });
  return out;
}
