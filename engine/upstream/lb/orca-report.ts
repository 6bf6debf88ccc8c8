// Load that a host reports of itself in response headers or trailers (ORCA: xds.data.orca.v3.OrcaLoadReport; Envoy: orca_parser). Three forms:
//
//   endpoint-load-metrics: TEXT cpu_utilization=0.3,rps_fractional=100,named_metrics.queue=0.7      (also with ':' for '=')
//   endpoint-load-metrics: JSON {"cpu_utilization": 0.3}          endpoint-load-metrics: BIN <base64>          endpoint-load-metrics-bin: <base64>
//
// A report that is wrong in any place counts as none, as in Envoy. What a header may hold is bounded by the limit of headers.
import type { Headers } from '../../headers/headers.ts';

/** One report, by full name ("cpu_utilization", "named_metrics.queue"): a metric that is not there is 0. */
export class OrcaReport {
  private readonly values = new Map<string, number>();
  get(name: string): number { return this.values.get(name) ?? 0; }
  has(name: string): boolean { return this.values.has(name); }
  set(name: string, value: number): void { this.values.set(name, value); }

  /** The greatest of these; "named_metrics.*" stands for all of that kind. 0: none is there. */
  greatest(names: readonly string[]): number {
    let most = 0;
    for (const name of names) {
      if (!name.endsWith('.*')) { most = Math.max(most, this.get(name)); continue; }
      for (const [key, value] of this.values) if (key.startsWith(name.slice(0, -1)) && value > most) most = value;
    }
    return most;
  }
}

const SCALARS: ReadonlySet<string> = new Set(['cpu_utilization', 'mem_utilization', 'application_utilization', 'eps', 'rps_fractional']);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The report of an answer's headers or trailers, null: there is none, or it is wrong. */
export function readOrcaReport(headers: Headers): OrcaReport | null {
  const binary = headers.get('endpoint-load-metrics-bin');
  if (binary !== undefined) return fromBase64(binary);
  const value = headers.get('endpoint-load-metrics');
  if (value === undefined) return null;
  const rest = value.slice(5);
  if (value.startsWith('TEXT ')) return fromText(rest);
  if (value.startsWith('JSON ')) return fromJson(rest);
  return value.startsWith('BIN ') ? fromBase64(value.slice(4)) : null;
}

function fromText(text: string): OrcaReport | null {
  const report = new OrcaReport();
  for (const part of text.split(',')) {
    const entry = part.trim();
    if (entry === '') continue;
    let at = entry.indexOf('=');
    if (at < 0) at = entry.indexOf(':');
    const name = at < 0 ? entry : entry.slice(0, at).trim(), value = at < 0 ? '' : entry.slice(at + 1).trim();
    if (!known(name) || report.has(name) || !NUMBER.test(value)) return null;
    const n = Number(value);
    if (!(n >= 0) || n === Infinity) return null;
    report.set(name, n);
  }
  return report;
}
function known(name: string): boolean { return SCALARS.has(name) || (name.startsWith('named_metrics.') && name.length > 14) || (name.startsWith('utilization.') && name.length > 12); }

const JSON_NAMES: Readonly<Record<string, string>> = { cpuUtilization: 'cpu_utilization', memUtilization: 'mem_utilization', applicationUtilization: 'application_utilization', rpsFractional: 'rps_fractional', namedMetrics: 'named_metrics', requestCost: 'request_cost' };

function fromJson(text: string): OrcaReport | null {
  let all: unknown;
  // The platform's parser is the only part that tells of a fault by throwing; its cost is that of a few headers.
  try { all = JSON.parse(text); } catch { return null; }
  if (typeof all !== 'object' || all === null || Array.isArray(all)) return null;
  const report = new OrcaReport();
  for (const [key, value] of Object.entries(all)) {
    const name = JSON_NAMES[key] ?? key;
    if (name === 'rps') continue;
    if (SCALARS.has(name)) { const n = numberOf(value); if (n === null) return null; report.set(name, n); continue; }
    if ((name !== 'named_metrics' && name !== 'utilization' && name !== 'request_cost') || typeof value !== 'object' || value === null) return null;
    for (const [k, v] of Object.entries(value)) { const n = numberOf(v); if (n === null) return null; report.set(`${name}.${k}`, n); }
  }
  return report;
}
/** A double of protobuf's JSON: a number, or one as text. */
function numberOf(v: unknown): number | null {
  if (typeof v === 'number') return v;
  return typeof v === 'string' && NUMBER.test(v) ? Number(v) : null;
}

/** Fields of OrcaLoadReport by number: doubles, and maps of text to double. */
const DOUBLES: Readonly<Record<number, string>> = { 1: 'cpu_utilization', 2: 'mem_utilization', 6: 'rps_fractional', 7: 'eps', 9: 'application_utilization' };
const MAPS: Readonly<Record<number, string>> = { 4: 'request_cost', 5: 'utilization', 8: 'named_metrics' };

function fromBase64(text: string): OrcaReport | null {
  if (text === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  return readOrcaBytes(Buffer.from(text, 'base64'));
}
/** A serialized OrcaLoadReport; null: it is none. */
export function readOrcaBytes(bytes: Buffer): OrcaReport | null {
  const report = new OrcaReport(), r = new WireReader(bytes, 0, bytes.length);
  while (!r.done) {
    const tag = r.varint(), field = tag >>> 3, map = MAPS[field];
    if ((tag & 7) === 1 && DOUBLES[field] !== undefined) report.set(DOUBLES[field], r.double());
    else if ((tag & 7) === 2 && map !== undefined) mapEntry(r.part(), map, report);
    else r.skip(tag & 7);
    if (r.failed) return null;
  }
  return report;
}
function mapEntry(r: WireReader | null, map: string, report: OrcaReport): void {
  let key = '', value = 0;
  while (r !== null && !r.done) {
    const tag = r.varint();
    if (tag === 10) key = r.text(); else if (tag === 17) value = r.double(); else r.skip(tag & 7);
  }
  if (r !== null) report.set(`${map}.${key}`, value);
}

/** As much of protobuf's wire format as a report needs. A fault ends the reading: `failed`, and `done`. */
class WireReader {
  private readonly bytes: Buffer; private at: number; private readonly end: number; private readonly outer: WireReader | null;
  failed = false;
  constructor(bytes: Buffer, at: number, end: number, outer: WireReader | null = null) { this.bytes = bytes; this.at = at; this.end = end; this.outer = outer; }
  get done(): boolean { return this.at >= this.end; }
  private fail(): void { this.failed = true; this.at = this.end; if (this.outer !== null) this.outer.fail(); }
  /** Its low 32 bits. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) break;
      const b = this.bytes[this.at++]!;
      if (shift < 32) value |= (b & 0x7f) << shift;
      if (b < 0x80) return value >>> 0;
    }
    this.fail();
    return 0;
  }
  double(): number {
    if (this.end - this.at < 8) { this.fail(); return 0; }
    this.at += 8;
    return this.bytes.readDoubleLE(this.at - 8);
  }
  /** The bytes of a field of length, as a reader of their own. */
  part(): WireReader | null {
    const length = this.varint(), start = this.at;
    if (length > this.end - start) { this.fail(); return null; }
    this.at += length;
    return new WireReader(this.bytes, start, start + length, this);
  }
  text(): string { const p = this.part(); return p === null ? '' : this.bytes.toString('utf8', p.at, p.end); }
  skip(wireType: number): void {
    const bytes = wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? this.varint() : 0;
    if (wireType === 0) { this.varint(); return; }
    if (wireType === 3 || wireType === 4 || wireType > 5 || bytes > this.end - this.at) { this.fail(); return; }
    this.at += bytes;
  }
}
