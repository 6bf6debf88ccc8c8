// Header names as HTTP/2 brings them: what each is to the codec, found with one lookup, and one string object for each name, so that later lookups compare pointers.
// Names of the usual traffic are learned; the table is bounded, an attacker's names beyond it are judged each time.
import { TOKEN } from '../../headers/char-class.ts';
import { STATIC_TABLE } from '../hpack/static-table.ts';

export type NameKind = 'plain' | 'pseudo' | 'hop' | 'te' | 'host' | 'cookie' | 'content-length' | 'bad';

export interface KnownName { readonly name: string; readonly kind: NameKind; readonly underscore: boolean; /** A value of it that was judged good lately. */ good: string; /** What followed it last. */ after: KnownName | null }

const MOST = 1024;
const names = new Map<string, KnownName>();

const KINDS: Record<string, NameKind> = {
  connection: 'hop', 'keep-alive': 'hop', 'proxy-connection': 'hop', 'transfer-encoding': 'hop', upgrade: 'hop', te: 'te', host: 'host', cookie: 'cookie', 'content-length': 'content-length',
  ':method': 'pseudo', ':path': 'pseudo', ':authority': 'pseudo', ':scheme': 'pseudo', ':protocol': 'pseudo', ':status': 'pseudo',
};

/** Lower-case tokens only (RFC 9113 section 8.2.1). */
function validName(name: string): boolean {
  if (name.length === 0) return false;
  for (let i = 0; i < name.length; i++) { const c = name.charCodeAt(i); if (TOKEN[c] !== 1 || (c >= 65 && c <= 90)) return false; }
  return true;
}

let latest: KnownName | null = null;

export function knownName(name: string): KnownName {
  const guess = latest === null ? null : latest.after;
  if (guess !== null && guess.name === name) return latest = guess;
  const known = names.get(name);
  if (known !== undefined) {
    if (latest !== null) latest.after = known;
    return latest = known;
  }
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name]! : validName(name) ? 'plain' : 'bad';
  const entry: KnownName = { name, kind, underscore: name.includes('_'), good: '', after: null };
  if (kind !== 'bad' && names.size < MOST && name.length <= 64) names.set(name, entry);
  return entry;
}

for (const name of [...Object.keys(KINDS), ...STATIC_TABLE.map((l) => l[0])]) knownName(name);
