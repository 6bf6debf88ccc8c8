// The sections of /config_dump (envoy.admin.v3.ConfigDump) and what its parameters take of them. Pure; the documents come from the control engine.
import { compileRegex } from '../../headers/string-matcher.ts';
import { fieldsByName, messageType } from '../../proto/registry.ts';
import { applyMask } from './field-mask.ts';

type Json = Record<string, unknown>;
/** One section: the name of its message and its JSON. Kinds of entries that there are none of are left out. */
export interface DumpSection { readonly type: string; readonly value: Json }
export interface DumpWish { readonly resource: string; readonly mask: string; readonly nameRegex: string; readonly includeEds: boolean }
export type Dumped = { readonly configs: readonly Json[] } | { readonly status: number; readonly error: string };

const ANY = 'type.googleapis.com/';
const ENDPOINTS = 'envoy.admin.v3.EndpointsConfigDump';

/** The name that name_regex is held against, wherever a kind of entry has it. */
function entryName(e: Json): string {
  const inner = ['cluster', 'listener', 'route_config', 'endpoint_config', 'scoped_route_configs'].map((k) => e[k]).find((v) => v !== null && typeof v === 'object') as Json | undefined;
  return String(e['name'] ?? inner?.['name'] ?? inner?.['cluster_name'] ?? '');
}

export function dumpConfig(sections: readonly DumpSection[], wish: DumpWish): Dumped {
  let named = (_e: Json): boolean => true;
  if (wish.nameRegex !== '') {
    try { const re = compileRegex(wish.nameRegex); named = (e) => re.matcher(entryName(e)).matches(); } catch (e) { return { status: 400, error: `INVALID_ARGUMENT: Error while parsing name_regex from ${wish.nameRegex}: ${(e as Error).message.replace(/^error parsing regexp: /, '')}` }; }
  }
  const shown = sections.filter((s) => wish.includeEds || s.type !== ENDPOINTS).map((s) => (wish.nameRegex === '' ? s : { type: s.type, value: Object.fromEntries(Object.entries(s.value).map(([k, v]) => [k, Array.isArray(v) ? (v as Json[]).filter(named) : v])) }));
  const paths = wish.mask === '' ? [] : wish.mask.split(',');
  if (wish.resource !== '') return resources(shown, wish.resource, paths);
  if (paths.length === 0) return { configs: shown.map((s) => ({ '@type': ANY + s.type, ...withoutEmpty(s.value) })) };
  const masked = shown.flatMap((s) => { const kept = applyMask(s.value, s.type, paths); return kept === null ? [] : [{ '@type': ANY + s.type, ...kept }]; });
  return masked.length === 0 ? { status: 400, error: `FieldMask ${wish.mask} could not be successfully applied to any configs.` } : { configs: masked };
}

const withoutEmpty = (value: Json): Json => Object.fromEntries(Object.entries(value).filter(([, v]) => !Array.isArray(v) || v.length > 0));

/** The entries of one repeated field, each as a message of its own. */
function resources(sections: readonly DumpSection[], resource: string, paths: readonly string[]): Dumped {
  for (const s of sections) {
    const field = fieldsByName(messageType(s.type)!).get(resource);
    if (field === undefined) continue;
    if (field.fieldKind !== 'list' || field.listKind !== 'message') return { status: 400, error: `${resource} is not a repeated field. Use ?mask=${resource} to get only this field` };
    const type = field.message.typeName, configs: Json[] = [];
    for (const e of (s.value[resource] ?? []) as Json[]) {
      const kept = paths.length === 0 ? e : applyMask(e, type, paths);
      if (kept === null) return { status: 400, error: `FieldMask paths: ${paths.map((p) => `"${p}"`).join(' ')}\n could not be successfully used.` };
      configs.push({ '@type': ANY + type, ...kept });
    }
    return { configs };
  }
  return { status: 404, error: `${resource} not found in config dump` };
}
