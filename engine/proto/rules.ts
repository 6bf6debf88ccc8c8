// validate.rules (protoc-gen-validate) of the API: what a value must be beyond its type. Each check gives a message like Envoy's, or ''.
import { RE2JS } from 're2js';
import { parseDuration } from './scalars.ts';
import type { Rules } from './registry.ts';

const patterns = new Map<string, RE2JS>();
const regex = (text: string): RE2JS => { let r = patterns.get(text); if (r === undefined) { r = RE2JS.compile(text); patterns.set(text, r); } return r; };

/** The active rule of a FieldRules message: {kind: 'string', rules}. protobuf-es gives the oneof as {case, value}. */
export function ruleOf(rules: Rules): { readonly kind: string; readonly r: Rules } | null {
  const type = rules['type'] as { case?: string; value?: Rules } | undefined;
  return type?.case === undefined ? null : { kind: type.case, r: type.value! };
}
export function messageRequired(rules: Rules | null): boolean { return (rules?.['message'] as { required?: boolean } | undefined)?.required === true || ((): boolean => { const t = rules === null ? null : ruleOf(rules); return (t?.kind === 'any' || t?.kind === 'duration' || t?.kind === 'timestamp') && t.r['required'] === true; })(); }

const has = (r: Rules, k: string): boolean => r[k] !== undefined && !(Array.isArray(r[k]) && (r[k] as unknown[]).length === 0);
const explicit = (r: Rules, k: string): boolean => Object.hasOwn(r, k) && r[k] !== undefined;

function bounds(v: number, gt: number | undefined, gte: number | undefined, lt: number | undefined, lte: number | undefined, show: (n: number) => string): string {
  const lowOk = gt !== undefined ? v > gt : gte !== undefined ? v >= gte : true;
  const highOk = lt !== undefined ? v < lt : lte !== undefined ? v <= lte : true;
  if (lowOk && highOk) return '';
  const low = gt !== undefined ? `greater than ${show(gt)}` : gte !== undefined ? `greater than or equal to ${show(gte)}` : '';
  const high = lt !== undefined ? `less than ${show(lt)}` : lte !== undefined ? `less than or equal to ${show(lte)}` : '';
  if (low !== '' && high !== '') return `value must be inside range ${gt !== undefined ? '(' : '['}${show((gt ?? gte)!)}, ${show((lt ?? lte)!)}${lt !== undefined ? ')' : ']'}`;
  return `value must be ${low}${high}`;
}

export function checkNumber(v: number, r: Rules): string {
  const n = (k: string): number | undefined => (explicit(r, k) ? Number(r[k]) : undefined);
  if (r['ignoreEmpty'] === true && v === 0) return '';
  if (explicit(r, 'const') && v !== Number(r['const'])) return `value must equal ${String(r['const'])}`;
  if (has(r, 'in') && !(r['in'] as unknown[]).some((x) => Number(x) === v)) return `value must be in list [${(r['in'] as unknown[]).join(' ')}]`;
  if (has(r, 'notIn') && (r['notIn'] as unknown[]).some((x) => Number(x) === v)) return `value must not be in list [${(r['notIn'] as unknown[]).join(' ')}]`;
  return bounds(v, n('gt'), n('gte'), n('lt'), n('lte'), String);
}

const seconds = (d: unknown): number => { const x = d as { seconds: bigint; nanos: number }; return Number(x.seconds) * 1000 + x.nanos / 1e6; };
export function checkDuration(text: string, r: Rules): string {
  const v = parseDuration(text);
  if (v === null) return '';
  const n = (k: string): number | undefined => (r[k] === undefined ? undefined : seconds(r[k]));
  if (r['const'] !== undefined && v !== seconds(r['const'])) return `value must equal ${seconds(r['const']) / 1000}s`;
  return bounds(v, n('gt'), n('gte'), n('lt'), n('lte'), (ms) => `${ms / 1000}s`);
}

const HEADER_NAME = /^:?[0-9a-zA-Z!#$%&'*+\-.^_|~`]+$/;
export function checkString(v: string, r: Rules): string {
  if (r['ignoreEmpty'] === true && v === '') return '';
  const length = [...v].length, bytes = Buffer.byteLength(v);
  const n = (k: string): number | undefined => (explicit(r, k) ? Number(r[k]) : undefined);
  const t = (k: string): string | undefined => (explicit(r, k) ? String(r[k]) : undefined);
  if (t('const') !== undefined && v !== t('const')) return `value must equal ${t('const')}`;
  if (n('len') !== undefined && length !== n('len')) return `value length must be ${n('len')} characters`;
  if (n('minLen') !== undefined && length < n('minLen')!) return `value length must be at least ${n('minLen')} characters`;
  if (n('maxLen') !== undefined && length > n('maxLen')!) return `value length must be at most ${n('maxLen')} characters`;
  if (n('minBytes') !== undefined && bytes < n('minBytes')!) return `value length must be at least ${n('minBytes')} bytes`;
  if (n('maxBytes') !== undefined && bytes > n('maxBytes')!) return `value length must be at most ${n('maxBytes')} bytes`;
  if (t('pattern') !== undefined && !regex(t('pattern')!).matcher(v).find()) return `value does not match regex pattern "${t('pattern')}"`;
  if (t('prefix') !== undefined && !v.startsWith(t('prefix')!)) return `value does not have prefix "${t('prefix')}"`;
  if (t('suffix') !== undefined && !v.endsWith(t('suffix')!)) return `value does not have suffix "${t('suffix')}"`;
  if (t('contains') !== undefined && !v.includes(t('contains')!)) return `value does not contain substring "${t('contains')}"`;
  if (t('notContains') !== undefined && v.includes(t('notContains')!)) return `value contains substring "${t('notContains')}"`;
  if (has(r, 'in') && !(r['in'] as string[]).includes(v)) return `value must be in list [${(r['in'] as string[]).join(' ')}]`;
  if (has(r, 'notIn') && (r['notIn'] as string[]).includes(v)) return `value must not be in list [${(r['notIn'] as string[]).join(' ')}]`;
  return wellKnown(v, r);
}

function wellKnown(v: string, r: Rules): string {
  const known = r['wellKnown'] as { case?: string; value?: unknown } | undefined;
  switch (known?.case) {
    case undefined: return '';
    case 'wellKnownRegex': {
      const strict = r['strict'] !== false;
      if (known.value === 1) return v === '' || (strict ? HEADER_NAME.test(v) : !/[\0\r\n]/.test(v)) ? '' : 'value does not match regex pattern of HTTP header names';
       
      if (known.value === 2) return (strict ? !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(v) : !/[\0\r\n]/.test(v)) ? '' : 'value does not match regex pattern of HTTP header values';
      return '';
    }
    case 'hostname': return /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$/.test(v) && v.length <= 253 ? '' : 'value must be a valid hostname';
    case 'uri': try { new URL(v); return ''; } catch { return 'value must be a valid URI'; }
    default: return '';
  }
}

export function checkBytes(v: Uint8Array, r: Rules): string {
  if (explicit(r, 'minLen') && v.length < Number(r['minLen'])) return `value length must be at least ${Number(r['minLen'])} bytes`;
  if (explicit(r, 'maxLen') && v.length > Number(r['maxLen'])) return `value length must be at most ${Number(r['maxLen'])} bytes`;
  return '';
}

/** Rules of a list itself; the items' rules are in r.items. */
export function checkCount(count: number, r: Rules, what: 'Items' | 'Pairs'): string {
  const n = (k: string): number | undefined => (explicit(r, k) ? Number(r[k]) : undefined);
  const min = n(`min${what}`), max = n(`max${what}`);
  if (min !== undefined && count < min) return `value must contain at least ${min} ${what === 'Items' ? 'item' : 'pair'}(s)`;
  if (max !== undefined && count > max) return `value must contain at most ${max} ${what === 'Items' ? 'item' : 'pair'}(s)`;
  return '';
}
