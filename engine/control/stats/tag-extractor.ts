// Tags of a stat's name: Envoy's default ones (tag-table.ts), the configuration's own, and fixed ones. Names of a scope share its tags, so what depends on the prefix
// alone is found once per scope.
import type { RE2JS } from 're2js';
import { compileRegex } from '../../headers/string-matcher.ts';
import { DEFAULT_TAGS, type TagRule } from './tag-table.ts';

/** StatsConfig's part for tags. */
export interface TagSettings { readonly tags: readonly { readonly name: string; readonly regex: string; readonly value: string }[]; readonly useDefaultTags: boolean; /** Tags of the configuration stand in the place of default ones of the same name. */ readonly overrides: boolean }
export interface Extracted { /** The name without what the tags took out. */ readonly name: string; readonly tags: readonly (readonly [tag: string, value: string])[] }

interface Found { readonly value: string; readonly from: number; readonly to: number }
type Finder = (name: string, tokens: readonly string[]) => Found | null;

/** Where token `i` starts, and the end of what goes with it: the dot after it, or (the last one) the dot before. */
function spanOf(tokens: readonly string[], i: number): Found {
  let from = 0;
  for (let k = 0; k < i; k++) from += tokens[k]!.length + 1;
  const value = tokens[i]!, last = i === tokens.length - 1;
  return { value, from: last ? from - 1 : from, to: last ? from + value.length : from + value.length + 1 };
}

function tokenFinder(pattern: string): Finder {
  const want = pattern.split('.'), open = want.at(-1) === '**', n = open ? want.length - 1 : want.length, at = want.indexOf('$');
  return (_name, tokens) => {
    if (open ? tokens.length <= n : tokens.length !== n) return null;
    for (let i = 0; i < n; i++) { const w = want[i]!; if (w !== '*' && w !== '$' && w !== tokens[i]) return null; }
    return spanOf(tokens, at);
  };
}

/** A default rule's regex: the first group is taken out, the second is the value. */
const regexFinder = (regex: RegExp): Finder => (name) => { const m = regex.exec(name); if (m === null) return null; const [from, to] = m.indices![1]!; return { value: m[2] ?? m[1]!, from, to }; };

/** A regex of the configuration, RE2. */
function ownFinder(re: RE2JS): Finder {
  return (name) => {
    const m = re.matcher(name);
    if (!m.find() || m.groupCount() < 1) return null;
    const whole = m.group(1), from = m.start(1);
    if (whole === null || from < 0) return null;
    // Envoy's symbol table keeps no dots at a value's end.
    return { value: ((m.groupCount() > 1 ? m.group(2) : whole) ?? '').replace(/\.+$/, ''), from, to: m.end(1) };
  };
}

export class TagExtractor {
  private readonly finders: { readonly tag: string; readonly first: string; readonly find: Finder }[] = [];
  private readonly fixed: (readonly [string, string])[] = [];
  /** Whether the configuration brings regexes: then a name's end may matter for tags of its start. */
  readonly custom: boolean;

  constructor(settings: TagSettings) {
    const own = new Set(settings.overrides ? settings.tags.filter((t) => t.regex !== '' || t.value !== '').map((t) => t.name) : []);
    if (settings.useDefaultTags) for (const rule of DEFAULT_TAGS) if (!own.has(rule.tag)) this.add(rule);
    for (const t of settings.tags) {
      if (t.regex !== '') this.finders.push({ tag: t.name, first: '', find: ownFinder(compileRegex(t.regex)) });
      else if (t.value !== '') this.fixed.push([t.name, t.value]);
      else for (const rule of DEFAULT_TAGS) if (rule.tag === t.name && !settings.useDefaultTags) this.add(rule);
    }
    this.custom = settings.tags.some((t) => t.regex !== '');
  }

  private add(rule: TagRule): void {
    const pattern = 'tokens' in rule ? rule.tokens : rule.regex.source.replace(/^\^/, '');
    // The first token, where the rule has a fixed one, spares most rules the look.
    const first = 'tokens' in rule ? /^[a-z_]+(?=\.)/.exec(pattern)?.[0] ?? '' : rule.regex.source.startsWith('^') ? /^[a-z_]+(?=\\\.)/.exec(pattern)?.[0] ?? '' : '';
    this.finders.push({ tag: rule.tag, first, find: 'tokens' in rule ? tokenFinder(rule.tokens) : regexFinder(rule.regex) });
  }

  extract(name: string): Extracted {
    const tokens = name.split('.'), tags: (readonly [string, string])[] = [...this.fixed], cuts: [number, number][] = [];
    for (const f of this.finders) {
      if ((f.first !== '' && f.first !== tokens[0]) || tags.some(([t]) => t === f.tag)) continue;
      const found = f.find(name, tokens);
      if (found === null) continue;
      tags.push([f.tag, found.value]);
      cuts.push([found.from, found.to]);
    }
    if (cuts.length === 0) return { name, tags };
    cuts.sort((a, b) => a[0] - b[0]);
    let out = '', at = 0;
    for (const [from, to] of cuts) { if (from > at) out += name.slice(at, from); at = Math.max(at, to); }
    return { name: out + name.slice(at), tags };
  }
}
