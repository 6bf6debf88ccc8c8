// What the reader has to know of a message of the API, looked up once: its fields by every name that a file may use, how the values of each are read, and what they are checked
// for. A configuration has half a million messages of a few dozen types.
import { ScalarType, type DescEnum, type DescField, type DescMessage, type DescOneof } from '@bufbuild/protobuf';
import { fieldRules, isDeprecated, oneofRequired, type Rules } from './registry.ts';
import { bytesCheck, countCheck, messageRequired, numberCheck, ruleOf, stringCheck, valueCheck, type Check, type CountCheck } from './rules.ts';

const WRAPPERS: Record<string, ScalarType> = {
  DoubleValue: ScalarType.DOUBLE, FloatValue: ScalarType.FLOAT, Int64Value: ScalarType.INT64, UInt64Value: ScalarType.UINT64, Int32Value: ScalarType.INT32, UInt32Value: ScalarType.UINT32, BoolValue: ScalarType.BOOL, StringValue: ScalarType.STRING, BytesValue: ScalarType.BYTES,
};
/** The name of a message of google.protobuf; '' for any other. */
export const wellKnown = (desc: DescMessage): string => (desc.typeName.startsWith('google.protobuf.') ? desc.typeName.slice(16) : '');

/** How one value is read. 'plain': as it stands (Value, ListValue, Timestamp, FieldMask, Empty). */
export type Reading = 'scalar' | 'enum' | 'message' | 'duration' | 'any' | 'struct' | 'plain';

export class FieldShape {
  readonly desc: DescField;
  readonly name: string;
  readonly many: 'one' | 'list' | 'map';
  readonly reading: Reading;
  /** Of scalars and wrappers. */
  readonly scalar: ScalarType;
  readonly enum: DescEnum | undefined;
  /** Name of an enum's value where none is given. */
  readonly zero: string;
  readonly deprecated: boolean;
  readonly oneof: DescOneof | undefined;
  /** Its rules; null: it has none. */
  readonly checks: FieldChecks | null;

  constructor(desc: DescField) {
    this.desc = desc; this.name = desc.name; this.many = desc.fieldKind === 'list' ? 'list' : desc.fieldKind === 'map' ? 'map' : 'one'; this.oneof = desc.oneof; this.deprecated = isDeprecated(desc);
    const kind = desc.fieldKind === 'list' ? desc.listKind : desc.fieldKind === 'map' ? desc.mapKind : desc.fieldKind, known = kind === 'message' ? wellKnown(desc.message!) : '';
    this.enum = desc.enum; this.zero = desc.enum?.values.find((e) => e.number === 0)?.name ?? '';
    this.scalar = known in WRAPPERS ? WRAPPERS[known]! : desc.scalar as ScalarType;
    this.reading = kind !== 'message' ? kind : known === '' ? 'message' : known in WRAPPERS ? 'scalar' : known === 'Duration' ? 'duration' : known === 'Any' ? 'any' : known === 'Struct' ? 'struct' : 'plain';
    this.checks = checksOf(desc);
  }

  get message(): MessageShape { return shapeOf(this.desc.message!); }
}

/** validate.rules of a field. `absent`: what is wrong where it is not given, '' for nothing. `item`: of the only value, or of each of a list. */
interface FieldChecks { readonly absent: string; readonly item: Check | null; readonly count: CountCheck | null; readonly unique: boolean }

function checksOf(field: DescField): FieldChecks | null {
  const rules = fieldRules(field);
  if (rules === null) return null;
  const rule = ruleOf(rules), absent = absentFault(field, rules);
  if (rule === null) return { absent, item: null, count: null, unique: false };
  if (rule.kind === 'repeated') {
    const inner = rule.r['items'] === undefined ? null : ruleOf(rule.r['items'] as Rules);
    // An enum's values are names here, so a list of them has nothing to compare numbers with.
    return { absent, item: inner === null || inner.kind === 'enum' ? null : valueCheck(inner, field), count: countCheck(rule.r, 'Items'), unique: rule.r['unique'] === true };
  }
  if (rule.kind === 'map') return { absent, item: null, count: countCheck(rule.r, 'Pairs'), unique: false };
  return { absent, item: valueCheck(rule, field), count: null, unique: false };
}

function absentFault(field: DescField, rules: Rules): string {
  if (field.oneof !== undefined) return '';
  if (messageRequired(rules)) return 'value is required';
  const rule = field.fieldKind === 'message' ? null : ruleOf(rules);
  switch (rule?.kind) {
    case undefined: case 'bool': case 'duration': case 'any': case 'timestamp': return '';
    case 'string': return stringCheck(rule!.r)?.('') ?? '';
    case 'bytes': return bytesCheck(rule!.r)?.(new Uint8Array(0)) ?? '';
    case 'repeated': return countCheck(rule!.r, 'Items')?.(0) ?? '';
    case 'map': return countCheck(rule!.r, 'Pairs')?.(0) ?? '';
    case 'enum': return ((rule!.r['notIn'] as number[] | undefined) ?? []).includes(0) ? 'value is required' : '';
    default: return numberCheck(rule!.r)?.(0) ?? '';
  }
}

export class MessageShape {
  readonly desc: DescMessage;
  readonly typeName: string;
  readonly fields: readonly FieldShape[];
  /** By snake_case and camelCase name. */
  readonly byName = new Map<string, FieldShape>();
  readonly oneofs: readonly { readonly desc: DescOneof; readonly required: boolean }[];
  /** Fields that have to be looked at, given or not. */
  readonly checked: readonly FieldShape[];

  constructor(desc: DescMessage) {
    this.desc = desc; this.typeName = desc.typeName;
    this.fields = desc.fields.map((f) => new FieldShape(f));
    for (const f of this.fields) { this.byName.set(f.name, f); this.byName.set(f.desc.jsonName, f); }
    this.oneofs = desc.oneofs.map((o) => ({ desc: o, required: oneofRequired(o) }));
    this.checked = this.fields.filter(({ checks: c }) => c !== null && (c.absent !== '' || c.item !== null || c.count !== null || c.unique));
  }
}

const shapes = new Map<DescMessage, MessageShape>();
export function shapeOf(desc: DescMessage): MessageShape {
  let shape = shapes.get(desc);
  if (shape === undefined) { shape = new MessageShape(desc); shapes.set(desc, shape); }
  return shape;
}
