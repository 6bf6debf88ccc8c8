// URI templates (Envoy: uri_template): '*' one segment, '**' the rest, '{name}', '{name=pattern}'. Compiled to a linear walk over segments, no regex.

type Segment = { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'one' | 'rest'; readonly name: string; readonly prefix: string; readonly suffix: string };

export class TemplateError extends Error {}

export class PathTemplate {
  private readonly segments: readonly Segment[];
  constructor(text: string) {
    if (!text.startsWith('/')) throw new TemplateError(`path template '${text}' must start with '/'`);
    this.segments = split(text.slice(1)).map(parseSegment);
    if (this.segments.some((s, i) => s.kind === 'rest' && i !== this.segments.length - 1)) throw new TemplateError(`path template '${text}': '**' must be last`);
  }

  /** Variables of a path (without query), or null for no match. */
  match(path: string): Map<string, string> | null {
    const parts = path.slice(1).split('/');
    const found = new Map<string, string>();
    for (let i = 0; i < this.segments.length; i++) {
      const s = this.segments[i]!;
      if (s.kind === 'rest') {
        if (i > parts.length - 1) return null;
        let rest = parts.slice(i).join('/');
        if (!rest.endsWith(s.suffix)) return null;
        rest = rest.slice(0, rest.length - s.suffix.length);
        if (s.name !== '') found.set(s.name, rest);
        return found;
      }
      const part = parts[i];
      if (part === undefined) return null;
      if (s.kind === 'literal') { if (part !== s.text) return null; continue; }
      if (!part.startsWith(s.prefix) || !part.endsWith(s.suffix)) return null;
      const value = part.slice(s.prefix.length, part.length - s.suffix.length);
      if (value === '') return null;
      if (s.name !== '') found.set(s.name, value);
    }
    return parts.length === this.segments.length ? found : null;
  }
}

/** Splits at '/' outside of braces. */
function split(text: string): string[] {
  const out: string[] = [''];
  let depth = 0;
  for (const c of text) {
    if (c === '{') depth++;
    if (c === '}') depth--;
    if (c === '/' && depth === 0) out.push(''); else out[out.length - 1] += c;
  }
  return out;
}

function parseSegment(text: string): Segment {
  if (text === '*') return { kind: 'one', name: '', prefix: '', suffix: '' };
  if (text.startsWith('**')) return { kind: 'rest', name: '', prefix: '', suffix: text.slice(2) };
  const m = /^([^{}]*)\{([A-Za-z][A-Za-z0-9_]*)(?:=([^{}]*))?\}([^{}]*)$/.exec(text);
  if (m === null) { if (/[{}*]/.test(text)) throw new TemplateError(`bad segment '${text}' in a path template`); return { kind: 'literal', text }; }
  const [, prefix = '', name = '', pattern = '*', suffix = ''] = m;
  if (pattern !== '*' && pattern !== '**') throw new TemplateError(`pattern '${pattern}' in a path template is not supported`);
  return { kind: pattern === '**' ? 'rest' : 'one', name, prefix, suffix };
}

/** Fills a rewrite template. */
export function fillTemplate(template: string, values: ReadonlyMap<string, string>): string { return template.replace(/\{([A-Za-z][A-Za-z0-9_]*)\}/g, (_, name: string) => values.get(name) ?? ''); }
