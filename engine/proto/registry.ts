// Envoy's API 1.40 as descriptors (envoy-1.40.binpb.gz, made by scripts/gen-api.sh), in the control thread, and what the reader looks up of them.
import { getOption, hasOption, type DescExtension, type DescField, type DescFile, type DescMessage, type DescOneof } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { ApiFiles } from './api-files.ts';

let files: ApiFiles | null = null;
function apiFiles(): ApiFiles { return files ??= new ApiFiles(gunzipSync(readFileSync(new URL('./envoy-1.40.binpb.gz', import.meta.url)))); }

const messages = new Map<string, DescMessage | undefined>();
export function messageType(name: string): DescMessage | undefined {
  let m = messages.get(name);
  if (m === undefined && !messages.has(name)) { m = declared(name, 'message'); messages.set(name, m); }
  return m;
}
export function extensionType(name: string): DescExtension | undefined { return declared(name, 'extension'); }
function declared<K extends 'message' | 'extension'>(name: string, kind: K): (K extends 'message' ? DescMessage : DescExtension) | undefined {
  const file = apiFiles().declaring(name);
  if (file !== undefined) for (const t of nestedTypes(file)) if (t.kind === kind && t.typeName === name) return t as never;
  return undefined;
}

/** Full names of all messages of the API, without loading them. */
export function messageNames(): readonly string[] { return apiFiles().messages; }
/** Everything, loaded: for tools and tests. */
export function allFiles(): Iterable<DescFile> { return apiFiles().all(); }

/** Fields of a message by every name that a file may use: snake_case and camelCase. */
const fieldsOf = new Map<DescMessage, Map<string, DescField>>();
export function fieldsByName(desc: DescMessage): Map<string, DescField> {
  let map = fieldsOf.get(desc);
  if (map === undefined) {
    map = new Map();
    for (const f of desc.fields) { map.set(f.name, f); map.set(f.jsonName, f); }
    fieldsOf.set(desc, map);
  }
  return map;
}

/** A validate.rules message, loosely typed: rules are read by name. */
export interface Rules { readonly [rule: string]: unknown }

/** Messages whose rules Envoy does not look at: a custom certificate validator's configuration is taken over unread. */
const UNCHECKED = /\.SPIFFECertValidatorConfig(\.|$)/;

let rulesExtension: DescExtension | undefined;
const rulesOf = new Map<DescField, Rules | null>();
export function fieldRules(field: DescField): Rules | null {
  let rules = rulesOf.get(field);
  if (rules !== undefined) return rules;
  rulesExtension ??= extensionType('validate.rules');
  const options = UNCHECKED.test(field.parent.typeName) ? undefined : field.proto.options;
  rules = null;
  if (rulesExtension !== undefined && options !== undefined && hasOption(field, rulesExtension)) rules = getOption(field, rulesExtension) as unknown as Rules;
  rulesOf.set(field, rules);
  return rules;
}

let requiredExtension: DescExtension | undefined;
/** (validate.required) of a oneof. */
export function oneofRequired(oneof: DescOneof): boolean {
  requiredExtension ??= extensionType('validate.required');
  return requiredExtension !== undefined && oneof.proto.options !== undefined && hasOption(oneof, requiredExtension) && getOption(oneof, requiredExtension) === true;
}

export function isDeprecated(field: DescField): boolean { return field.proto.options?.deprecated === true; }
