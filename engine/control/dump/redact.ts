// Secrets out of proto JSON before it is shown: what lies below a field that the API marks as sensitive (udpa.annotations.sensitive), Anys included.
import { getOption, hasOption, type DescExtension, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { extensionType, fieldsByName, messageType } from '../../proto/registry.ts';

const TEXT = '[redacted]', BYTES = Buffer.from(TEXT).toString('base64');
let extension: DescExtension | undefined;
const known = new Map<DescField, boolean>();

function sensitive(f: DescField): boolean {
  let is = known.get(f);
  if (is === undefined) {
    extension ??= extensionType('udpa.annotations.sensitive');
    is = extension !== undefined && f.proto.options !== undefined && hasOption(f, extension) && getOption(f, extension) === true;
    known.set(f, is);
  }
  return is;
}

/** A copy without secrets; `typeName` names the message that the JSON is of. */
export function redact(value: unknown, typeName: string): unknown {
  const desc = messageType(typeName);
  return desc === undefined ? value : message(value, desc, false);
}

function message(value: unknown, desc: DescMessage, hide: boolean): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return hide ? TEXT : value;
  const own = value as Record<string, unknown>;
  let d: DescMessage | undefined = desc;
  if (typeof own['@type'] === 'string') d = messageType(own['@type'].split('/').at(-1)!) ?? desc;
  const fields = fieldsByName(d), out: Record<string, unknown> = {};
  for (const [key, v] of Object.entries(own)) {
    const f = key === '@type' ? undefined : fields.get(key);
    const put = (x: unknown): void => { if (x !== undefined) Object.defineProperty(out, key, { value: x, enumerable: true, configurable: true, writable: true }); };
    put(f === undefined ? (hide && key !== '@type' && typeof v === 'string' ? TEXT : v) : field(v, f, hide || sensitive(f)));
  }
  return out;
}

function field(v: unknown, f: DescField, hide: boolean): unknown {
  const below = f.fieldKind === 'message' ? f.message : f.fieldKind === 'list' && f.listKind === 'message' ? f.message : f.fieldKind === 'map' && f.mapKind === 'message' ? f.message : undefined;
  if (Array.isArray(v)) return v.map((x) => (below === undefined ? scalar(x, f, hide) : message(x, below, hide)));
  if (f.fieldKind === 'map' && v !== null && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, below === undefined ? scalar(x, f, hide) : message(x, below, hide)]));
  return below === undefined ? scalar(v, f, hide) : message(v, below, hide);
}

/** Text and bytes are replaced, numbers and the like left out. */
function scalar(v: unknown, f: DescField, hide: boolean): unknown {
  if (!hide) return v;
  if (typeof v !== 'string') return undefined;
  return 'scalar' in f && f.scalar === 12 ? BYTES : TEXT;
}
