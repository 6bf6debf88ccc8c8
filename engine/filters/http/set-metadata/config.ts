// envoy.extensions.filters.http.set_metadata.v3.Config from configuration.
import type { SetMetadataPlan } from '../../../plan/http-filter-plans.ts';
import type { ConfigMessage } from '../../../proto/config-message.ts';
import type { MetadataValue } from '../../../observe/stream-facts.ts';

type Fields = { readonly [key: string]: MetadataValue };

export function compileSetMetadata(m: ConfigMessage): SetMetadataPlan {
  const old = m.json('value') as Fields | undefined, namespace = m.str('metadata_namespace');
  const list = m.list('metadata').map((e) => { e.unsupported('typed_value'); return { namespace: e.str('metadata_namespace'), overwrite: e.bool('allow_overwrite'), value: (e.json('value') as Fields | undefined) ?? {} }; });
  return { entries: old === undefined ? list : [{ namespace, overwrite: true, value: old }, ...list] };
}
