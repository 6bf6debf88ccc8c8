// validate.rules (protoc-gen-validate) of the API: what a value must be beyond its type. A field's rules become one check, made once, of what they ask for and nothing else;
// it gives a message like Envoy's, or ''.
import type { DescField } from '@bufbuild/protobuf';
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

/** What is wrong with a value; '' for nothing. Values of another type were reported before. */
export type Check = (v: unknown) => string;
/** The same of a number of items. */
export type CountCheck = (count: number) => string;
type Test<T> = (v: T) => string;

/** The first complaint of several; null: there is nothing to look at. */
function first<T>(tests: readonly Test<T>[]): Test<T> | null {
  if (tests.length < 2) return tests[0] ?? null;
  return (v) => { for (const t of tests) { const m = t(v); if (m !== '') return m; } return ''; };
}

const has = (r: Rules, k: string): boolean => r[k] !== undefined && !(Array.isArray(r[k]) && (r[k] as unknown[]).length === 0);
const explicit = (r: Rules, k: string): boolean => Object.hasOwn(r, k) && r[k] !== undefined;
const number = (r: Rules, k: string): number | undefined => (explicit(r, k) ? Number(r[k]) : undefined);

function bounds(gt: number | undefined, gte: number | undefined, lt: number | undefined, lte: number | undefined, show: (n: number) => string): Test<number> | null {
  if (gt === undefined && gte === undefined && lt === undefined && lte === undefined) return null;
  const low = gt !== undefined ? `greater than ${show(gt)}` : gte !== undefined ? `greater than or equal to ${show(gte)}` : '';
  const high = lt !== undefined ? `less than ${show(lt)}` : lte !== undefined ? `less than or equal to ${show(lte)}` : '';
  const message = low !== '' && high !== '' ? `value must be inside range ${gt !== undefined ? '(' : '['}${show((gt ?? gte)!)}, ${show((lt ?? lte)!)}${lt !== undefined ? ')' : ']'}` : `value must be ${low}${high}`;
  return (v) => ((gt !== undefined ? v > gt : gte === undefined || v >= gte) && (lt !== undefined ? v < lt : lte === undefined || v <= lte) ? '' : message);
}

function present<T>(tests: readonly (T | null)[]): T[] { return tests.filter((t) => t !== null); }

export function numberCheck(r: Rules): Test<number> | null {
  const tests: Test<number>[] = [];
  if (explicit(r, 'const')) tests.push((v) => (v === Number(r['const']) ? '' : `value must equal ${String(r['const'])}`));
  if (has(r, 'in')) tests.push((v) => ((r['in'] as unknown[]).some((x) => Number(x) === v) ? '' : `value must be in list [${(r['in'] as unknown[]).join(' ')}]`));
  if (has(r, 'notIn')) tests.push((v) => ((r['notIn'] as unknown[]).some((x) => Number(x) === v) ? `value must not be in list [${(r['notIn'] as unknown[]).join(' ')}]` : ''));
  const all = first([...tests, ...present([bounds(number(r, 'gt'), number(r, 'gte'), number(r, 'lt'), number(r, 'lte'), String)])]);
  return all !== null && r['ignoreEmpty'] === true ? (v) => (v === 0 ? '' : all(v)) : all;
}

const milliseconds = (d: unknown): number | undefined => { const x = d as { seconds: bigint; nanos: number } | undefined; return x === undefined ? undefined : Number(x.seconds) * 1000 + x.nanos / 1e6; };
export function durationCheck(r: Rules): Test<string> | null {
  const n = (k: string): number | undefined => milliseconds(r[k]), exact = n('const');
  const all = first(present([exact === undefined ? null : (v: number): string => (v === exact ? '' : `value must equal ${exact / 1000}s`), bounds(n('gt'), n('gte'), n('lt'), n('lte'), (ms) => `${ms / 1000}s`)]));
  return all === null ? null : (text) => { const v = parseDuration(text); return v === null ? '' : all(v); };
}

const HEADER_NAME = /^:?[0-9a-zA-Z!#$%&'*+\-.^_|~`]+$/;
const codePoints = (v: string): number => [...v].length;
export function stringCheck(r: Rules): Test<string> | null {
  const t = (k: string): string | undefined => (explicit(r, k) ? String(r[k]) : undefined), tests: Test<string>[] = [];
  const ask = <T extends string | number>(rule: T | undefined, good: (v: string, rule: T) => boolean, message: (rule: T) => string): void => { if (rule !== undefined) tests.push((v) => (good(v, rule) ? '' : message(rule))); };
  ask(t('const'), (v, x) => v === x, (x) => `value must equal ${x}`);
  ask(number(r, 'len'), (v, n) => codePoints(v) === n, (n) => `value length must be ${n} characters`);
  ask(number(r, 'minLen'), (v, n) => (n <= 1 ? v.length >= n : codePoints(v) >= n), (n) => `value length must be at least ${n} characters`);
  ask(number(r, 'maxLen'), (v, n) => v.length <= n || codePoints(v) <= n, (n) => `value length must be at most ${n} characters`);
  ask(number(r, 'minBytes'), (v, n) => v.length >= n || Buffer.byteLength(v) >= n, (n) => `value length must be at least ${n} bytes`);
  ask(number(r, 'maxBytes'), (v, n) => Buffer.byteLength(v) <= n, (n) => `value length must be at most ${n} bytes`);
  ask(t('pattern'), (v, x) => regex(x).matcher(v).find(), (x) => `value does not match regex pattern "${x}"`);
  ask(t('prefix'), (v, x) => v.startsWith(x), (x) => `value does not have prefix "${x}"`);
  ask(t('suffix'), (v, x) => v.endsWith(x), (x) => `value does not have suffix "${x}"`);
  ask(t('contains'), (v, x) => v.includes(x), (x) => `value does not contain substring "${x}"`);
  ask(t('notContains'), (v, x) => !v.includes(x), (x) => `value contains substring "${x}"`);
  if (has(r, 'in')) tests.push((v) => ((r['in'] as string[]).includes(v) ? '' : `value must be in list [${(r['in'] as string[]).join(' ')}]`));
  if (has(r, 'notIn')) tests.push((v) => ((r['notIn'] as string[]).includes(v) ? `value must not be in list [${(r['notIn'] as string[]).join(' ')}]` : ''));
  const all = first([...tests, ...present([wellKnown(r)])]);
  return all !== null && r['ignoreEmpty'] === true ? (v) => (v === '' ? '' : all(v)) : all;
}

const HOSTNAME = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$/;
function wellKnown(r: Rules): Test<string> | null {
  const known = r['wellKnown'] as { case?: string; value?: unknown } | undefined;
  switch (known?.case) {
    case 'wellKnownRegex': {
      const strict = r['strict'] !== false;
      if (known.value === 1) return (v) => (v === '' || (strict ? HEADER_NAME.test(v) : !/[\0\r\n]/.test(v)) ? '' : 'value does not match regex pattern of HTTP header names');
      if (known.value === 2) return (v) => ((strict ? !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(v) : !/[\0\r\n]/.test(v)) ? '' : 'value does not match regex pattern of HTTP header values');
      return null;
    }
    case 'hostname': return (v) => (HOSTNAME.test(v) && v.length <= 253 ? '' : 'value must be a valid hostname');
    case 'uri': return (v) => { try { new URL(v); return ''; } catch { return 'value must be a valid URI'; } };
    default: return null;
  }
}

export function bytesCheck(r: Rules): Test<Uint8Array> | null {
  const min = number(r, 'minLen'), max = number(r, 'maxLen');
  return first(present<Test<Uint8Array>>([min === undefined ? null : (v): string => (v.length >= min ? '' : `value length must be at least ${min} bytes`), max === undefined ? null : (v): string => (v.length <= max ? '' : `value length must be at most ${max} bytes`)]));
}

/** Rules of a list itself; the items' rules are in r.items. */
export function countCheck(r: Rules, what: 'Items' | 'Pairs'): CountCheck | null {
  const min = number(r, `min${what}`), max = number(r, `max${what}`), noun = what === 'Items' ? 'item' : 'pair';
  return first(present<CountCheck>([min === undefined || min === 0 ? null : (n): string => (n >= min ? '' : `value must contain at least ${min} ${noun}(s)`), max === undefined ? null : (n): string => (n <= max ? '' : `value must contain at most ${max} ${noun}(s)`)]));
}

/** A rule's check of one value of the field. */
export function valueCheck(rule: NonNullable<ReturnType<typeof ruleOf>>, field: DescField): Check | null {
  const { kind, r } = rule, of = <T>(check: Test<T> | null, is: (v: unknown) => v is T): Check | null => (check === null ? null : (v) => (is(v) ? check(v) : ''));
  const isString = (v: unknown): v is string => typeof v === 'string';
  switch (kind) {
    case 'string': return of(stringCheck(r), isString);
    case 'bytes': return of(bytesCheck(r), (v) => v instanceof Uint8Array);
    case 'duration': return of(durationCheck(r), isString);
    case 'bool': return explicit(r, 'const') ? (v) => (v === r['const'] ? '' : `value must equal ${String(r['const'])}`) : null;
    case 'enum': {
      const names = ((r['notIn'] as number[] | undefined) ?? []).map((n) => field.enum?.values.find((e) => e.number === n)?.name);
      return names.length === 0 ? null : (v) => (names.includes(v as string) ? 'value must not be in list' : '');
    }
    default: return of(numberCheck(r), (v) => typeof v === 'number');
  }
}
