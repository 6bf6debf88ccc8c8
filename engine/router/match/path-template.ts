// URI templates (Envoy: uri_template): '/a/*/{name}/{rest=**}.jpg'. '*' is one segment, not empty; '**' any text; '{name=pattern}' is a variable, of '*' where there is no
// pattern. Made into one regular expression: it is linear, as segments hold no '/', and '**' is followed by literals alone.

/** What a segment may hold (RFC 3986 pchar) beside '*'. */
const LITERAL = "a-zA-Z0-9\\-._~%!$&'()+,;:@=";
const VALID = new RegExp(`^[${LITERAL}*]+$`), VALID_REWRITE = new RegExp(`^[${LITERAL}/]+$`), NAME = /^[a-zA-Z][a-zA-Z0-9_]*$/;
const ONE = `[${LITERAL}*]+`, ANY = `[${LITERAL}*/]*`;
const MAX_VARIABLES = 5, MAX_NAME = 16;

/** With Envoy's words for what is wrong. */
export class TemplateError extends Error {}

/** A '*' within a literal is left as it is, as Envoy does: it repeats what stands before it, none included. */
const escaped = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');

class Parser {
  /** What is left of the text. */
  private text: string;
  readonly names = new Set<string>();
  private textGlob = false;
  /** A repetition is repeated: Envoy takes it and it matches nothing. */
  dead = false;
  constructor(text: string) { this.text = text; }

  /** The text up to the next '/' or variable. */
  private literal(): string {
    const end = this.text.search(/[/{]/), text = end < 0 ? this.text : this.text.slice(0, end);
    if (!VALID.test(text)) throw new TemplateError(`Invalid literal: "${text}"`);
    this.text = this.text.slice(text.length);
    return this.plain(text);
  }

  private plain(text: string): string { if (text.includes('**')) this.dead = true; return escaped(text); }

  private operator(): string {
    const any = this.text.startsWith('**');
    if (this.textGlob) throw new TemplateError('Glob after text glob.');
    this.textGlob = any;
    this.text = this.text.slice(any ? 2 : 1);
    return any ? ANY : ONE;
  }

  private variable(): string {
    const whole = this.text, end = whole.indexOf('}');
    if (end < 0) throw new TemplateError(`Unmatched variable bracket in mixed pattern: "${whole}"`);
    const inner = whole.slice(1, end), eq = inner.indexOf('='), name = eq < 0 ? inner : inner.slice(0, eq);
    if (!NAME.test(name)) throw new TemplateError(`Invalid variable name: "${name}"`);
    if (this.names.size >= MAX_VARIABLES) throw new TemplateError(`Exceeded variable count limit (${MAX_VARIABLES})`);
    if (name.length > MAX_NAME) throw new TemplateError(`Invalid variable name length (length of "${name}" should be at least 1 and no more than ${MAX_NAME})`);
    if (this.names.has(name)) throw new TemplateError(`Repeated variable name: "${name}"`);
    this.names.add(name);
    if (eq < 0 && this.textGlob) throw new TemplateError('Implicit variable path glob after text glob.');
    this.text = inner.slice(eq + 1);
    const pattern = eq < 0 ? ONE : this.pattern();
    this.text = whole.slice(end + 1);
    return `(?<${name}>${pattern})`;
  }

  /** What stands after a variable's '='. */
  private pattern(): string {
    if (this.text === '') throw new TemplateError('Empty variable match');
    let out = '';
    for (;;) {
      out += this.text.startsWith('*') ? this.operator() : this.literal();
      if (this.text === '') return out;
      if (this.text[0] !== '/' || this.text.length === 1) throw new TemplateError(`Invalid variable match: "${this.text}"`);
      this.text = this.text.slice(1);
      out += '/';
    }
  }

  whole(): string {
    const given = this.text;
    if (!/^\/[\x21-\x7e]*$/.test(given)) throw new TemplateError(`Invalid pattern: "${given}"`);
    let out = '/';
    this.text = given.slice(1);
    while (this.text !== '') {
      const glob = this.text[0] === '*';
      let repeat = '*';
      if (glob) out += this.operator();
      else {
        // A variable may have literals before and after it in its segment.
        if (this.text[0] !== '{') out += this.literal();
        if (this.text[0] === '{') { const v = this.variable(); if (v.endsWith(`>${ONE})`) || v.endsWith(`>${ANY})`)) repeat = '?'; out += v; }
      }
      if (this.text === '') break;
      if (this.text[0] === '/') { this.text = this.text.slice(1); out += '/'; continue; }
      const suffix = this.text.split('/')[0]!;
      if (!VALID.test(suffix)) throw new TemplateError(`Invalid suffix literal: "${suffix}"`);
      if (glob && suffix !== this.text) throw new TemplateError('Prefix match not supported.');
      if (glob && suffix.startsWith('*')) this.dead = true;
      // A glob repeated is a glob or nothing: it took all that it could the first time. (Told so, the expression stays linear.)
      out += suffix.startsWith('*') ? repeat + this.plain(suffix).slice(1) : this.plain(suffix);
      this.text = this.text.slice(suffix.length);
      if (this.text !== '') { this.text = this.text.slice(1); out += '/'; }
    }
    return out;
  }
}

export class PathTemplate {
  private readonly regex: RegExp;
  /** Throws a TemplateError. */
  constructor(text: string) { const p = new Parser(text), source = p.whole(); this.regex = p.dead ? /(?!)/ : new RegExp(`^${source}$`); }
  /** Of a path without its query. */
  matches(path: string): boolean { return this.regex.test(path); }
  /** Its variables; null for no match. */
  match(path: string): { readonly [name: string]: string } | null { const m = this.regex.exec(path); return m === null ? null : m.groups ?? {}; }
}

/** The names of a template's variables; none of one that is wrong. */
export function variablesOf(text: string): ReadonlySet<string> { const p = new Parser(text); try { p.whole(); } catch (e) { if (!(e instanceof TemplateError)) throw e; } return p.names; }

/** The variables that a rewrite template uses; null: it is none. */
export function rewriteVariables(text: string): readonly string[] | null {
  if (!text.startsWith('/') || text.includes('//')) return null;
  const parts = text.split(/\{([^{}]*)\}/), names = parts.filter((_, i) => i % 2 === 1);
  return parts.every((p, i) => (i % 2 === 1 ? NAME.test(p) : p === '' || VALID_REWRITE.test(p))) ? names : null;
}

/** Fills a rewrite template. */
export function fillTemplate(template: string, values: { readonly [name: string]: string }): string { return template.replace(/\{([^{}]*)\}/g, (_, name: string) => values[name] ?? ''); }
