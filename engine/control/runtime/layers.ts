// The layered runtime (Envoy: "Runtime"): static layers from the bootstrap, disk layers read anew when their symbolic link is swapped, one admin layer. Later layers win.
// Control thread only; workers get the merged values as a whole.
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LayerPlan } from '../compile/process-config.ts';

export type RuntimeValue = string | number | boolean;
/** Envoy's limits of a disk layer: how deep folders may lie. */
const MAX_DEPTH = 16;

/** A layer's values: what stood there, and what it means. */
interface Entry { readonly raw: string; readonly value: RuntimeValue }
type Layer = Map<string, Entry>;

/** /runtime: the layers' names, and for each key what each of them says ('': nothing). */
export interface RuntimeTable { readonly layers: readonly string[]; readonly entries: ReadonlyMap<string, readonly string[]> }

export interface LayerStat { set(name: string, kind: 'counter' | 'gauge', value: number): void; add(name: string): void; warn(message: string): void }

const DENOMINATORS: Readonly<Record<string, number>> = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 };

/** A text as a number, a boolean, a fraction ('{numerator: 3, denominator: HUNDRED}', in percent) or itself. */
export function parseValue(raw: string): RuntimeValue {
  if (raw === 'true' || raw === 'false') return raw === 'true';
  if (raw.trim() !== '' && Number.isFinite(Number(raw))) return Number(raw);
  const fraction = /^\s*\{?\s*["']?numerator["']?\s*:\s*(\d+)\s*(?:[,\n]\s*["']?denominator["']?\s*:\s*["']?(HUNDRED|TEN_THOUSAND|MILLION)["']?)?\s*\}?\s*$/.exec(raw);
  return fraction === null ? raw : (Number(fraction[1]) * 100) / DENOMINATORS[fraction[2] ?? 'HUNDRED']!;
}

/** Flattens a static layer; `fault` is told the key of what cannot be a value. */
export function flatten(values: unknown, fault: (key: string) => void): Layer {
  const out: Layer = new Map();
  const walk = (key: string, v: unknown): void => {
    if (typeof v === 'string') out.set(key, { raw: v, value: parseValue(v) });
    else if (typeof v === 'number' || typeof v === 'boolean') out.set(key, { raw: String(v), value: v });
    else if (v === null || Array.isArray(v) || v === undefined) fault(key);
    else if (key !== '' && ('numerator' in (v as object) || 'denominator' in (v as object))) {
      const f = v as { numerator?: unknown; denominator?: unknown };
      out.set(key, { raw: JSON.stringify(v), value: (Number(f.numerator ?? 0) * 100) / (DENOMINATORS[String(f.denominator ?? 'HUNDRED')] ?? 100) });
    } else for (const [k, x] of Object.entries(v)) walk(key === '' ? k : `${key}.${k}`, x);
  };
  walk('', values);
  return out;
}

/** Reads a folder: each file is a key, folders are joined with dots, lines that start with '#' are comments. Throws on what Envoy refuses. */
export function readFolder(path: string, prefix = '', depth = 0, out: Layer = new Map()): Layer {
  if (depth > MAX_DEPTH) throw new Error(`Walk recursion depth exceeded ${MAX_DEPTH}`);
  for (const name of readdirSync(path)) {
    const at = join(path, name), key = prefix === '' ? name : `${prefix}.${name}`, s = statSync(at);
    if (s.isDirectory()) readFolder(at, key, depth + 1, out);
    else if (s.isFile()) { const raw = readFileSync(at, 'utf8').split('\n').filter((l) => !l.startsWith('#')).join('\n').trimEnd(); out.set(key, { raw, value: parseValue(raw) }); }
  }
  return out;
}

const exists = (path: string): boolean => { try { lstatSync(path); return true; } catch { return false; } };

export class RuntimeLayers {
  private readonly plans: readonly LayerPlan[];
  private readonly admin: Layer = new Map();
  private readonly clusterName: string;
  private readonly stat: LayerStat;
  private layers: readonly Layer[] = [];

  constructor(plans: readonly LayerPlan[], clusterName: string, stat: LayerStat) {
    this.plans = plans; this.clusterName = clusterName; this.stat = stat;
    for (const n of ['load_error', 'load_success', 'override_dir_exists', 'override_dir_not_exists', 'deprecated_feature_use']) stat.set(`runtime.${n}`, 'counter', 0);
    stat.set('runtime.deprecated_feature_seen_since_process_start', 'gauge', 0);
    this.load();
  }

  /** Paths whose swap means that `load` is due. */
  get watched(): readonly string[] { return this.plans.flatMap((p) => (p.kind === 'disk' ? [p.root] : [])); }

  /** Reads all layers anew; when one cannot be read the values stay as they are. */
  load(): void {
    let override = false;
    try {
      const next = this.plans.map((p): Layer => {
        if (p.kind === 'static') return flatten(p.values, () => undefined);
        if (p.kind === 'admin') return this.admin;
        const path = join(p.root, p.subdirectory, p.appendCluster ? this.clusterName : '');
        if (!exists(path)) return new Map();
        if (p.appendCluster) override = true;
        return readFolder(path);
      });
      this.layers = next;
      this.stat.add('runtime.load_success');
      this.stat.add(override ? 'runtime.override_dir_exists' : 'runtime.override_dir_not_exists');
    } catch (e) {
      this.stat.add('runtime.load_error');
      this.stat.warn(`error loading runtime values: ${(e as Error).message}`);
    }
    this.gauges();
  }

  private gauges(): void {
    this.stat.set('runtime.num_keys', 'gauge', new Set(this.layers.flatMap((l) => [...l.keys()])).size);
    this.stat.set('runtime.num_layers', 'gauge', this.plans.length);
    this.stat.set('runtime.admin_overrides_active', 'gauge', this.admin.size > 0 ? 1 : 0);
  }

  /** All layers merged, for the workers. */
  values(): Record<string, RuntimeValue> {
    const out: Record<string, RuntimeValue> = Object.create(null) as Record<string, RuntimeValue>;
    for (const l of this.layers) for (const [k, e] of l) out[k] = e.value;
    return { ...out };
  }

  table(): RuntimeTable {
    const entries = new Map<string, string[]>();
    this.layers.forEach((l, i) => { for (const [k, e] of l) { let row = entries.get(k); if (row === undefined) { row = this.layers.map(() => ''); entries.set(k, row); } row[i] = e.raw; } });
    return { layers: this.plans.map((p) => p.name), entries };
  }

  /** '' takes a value of the admin layer away. False: there is no such layer. */
  modify(values: readonly (readonly [key: string, value: string])[]): boolean {
    if (!this.plans.some((p) => p.kind === 'admin')) return false;
    for (const [k, v] of values) if (v === '') this.admin.delete(k); else this.admin.set(k, { raw: v, value: parseValue(v) });
    this.load();
    return true;
  }
}
