// google.protobuf.FieldMask over proto JSON: keeps the named fields alone. As protobuf has it a path may not go on below a repeated field; below an Any it goes on
// in the message that the Any holds.
import { fieldsByName, messageType } from '../../proto/registry.ts';

type Json = Record<string, unknown>;
interface Tree { readonly [field: string]: Tree }

/** null: a path names no field of the message. */
export function applyMask(value: Json, typeName: string, paths: readonly string[]): Json | null {
  const tree: Record<string, Record<string, unknown>> = Object.create(null) as Record<string, Record<string, unknown>>;
  for (const path of paths) {
    let at: Record<string, unknown> = tree;
    for (const part of path.split('.')) at = (at[part] ??= Object.create(null)) as Record<string, unknown>;
  }
  return keep(value, typeName, tree as Tree);
}

function keep(value: Json, typeName: string, tree: Tree): Json | null {
  const desc = messageType(typeName);
  if (desc === undefined) return null;
  const out: Json = typeof value['@type'] === 'string' ? { '@type': value['@type'] } : {};
  for (const [name, below] of Object.entries(tree)) {
    const field = fieldsByName(desc).get(name);
    if (field === undefined) return null;
    const given = value[field.name], leaf = Object.keys(below).length === 0;
    if (!leaf && (field.fieldKind !== 'message')) return null;
    if (leaf) { if (given !== undefined) out[field.name] = given; continue; }
    if (field.fieldKind !== 'message' || given === undefined || given === null || typeof given !== 'object') { if (field.fieldKind === 'message' && field.message.typeName !== 'google.protobuf.Any' && keep({}, field.message.typeName, below) === null) return null; continue; }
    const inner = given as Json, type = field.message.typeName === 'google.protobuf.Any' ? String(inner['@type'] ?? '').split('/').at(-1)! : field.message.typeName;
    const kept = keep(inner, type, below);
    if (kept === null) return null;
    out[field.name] = kept;
  }
  return out;
}
