// Envoy's API 1.40 as descriptors (envoy-1.40.binpb.gz, made by scripts/gen-api.sh), loaded once in the control thread, and what the reader looks up of them.
import { createFileRegistry, fromBinary, getOption, hasOption, type DescExtension, type DescField, type DescMessage, type DescOneof, type FileRegistry } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

let loaded: FileRegistry | null = null;

export function apiRegistry(): FileRegistry {
  return loaded ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, gunzipSync(readFileSync(new URL('./envoy-1.40.binpb.gz', import.meta.url)))));
}

export function messageType(name: string): DescMessage | undefined { return apiRegistry().getMessage(name); }

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

let rulesExtension: DescExtension | undefined;
const rulesOf = new Map<DescField, Rules | null>();
export function fieldRules(field: DescField): Rules | null {
  let rules = rulesOf.get(field);
  if (rules !== undefined) return rules;
  rulesExtension ??= apiRegistry().getExtension('validate.rules');
  const options = field.proto.options;
  rules = null;
  if (rulesExtension !== undefined && options !== undefined && hasOption(field, rulesExtension)) rules = getOption(field, rulesExtension) as unknown as Rules;
  rulesOf.set(field, rules);
  return rules;
}

let requiredExtension: DescExtension | undefined;
/** (validate.required) of a oneof. */
export function oneofRequired(oneof: DescOneof): boolean {
  requiredExtension ??= apiRegistry().getExtension('validate.required');
  return requiredExtension !== undefined && oneof.proto.options !== undefined && hasOption(oneof, requiredExtension) && getOption(oneof, requiredExtension) === true;
}

export function isDeprecated(field: DescField): boolean { return field.proto.options?.deprecated === true; }
