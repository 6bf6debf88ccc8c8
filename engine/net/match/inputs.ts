// What matcher trees look at (envoy.matching.http.input, envoy.matching.network.input): a value of the connection or stream; undefined where there is none.
import type { MatchInputPlan } from '../../plan/match-plan.ts';
import type { ConnectionFacts, StreamFacts } from '../../observe/stream-facts.ts';
import { valueAt } from '../../observe/match/value-matcher.ts';

/** `stream` null: only the connection is known. Text for all but metadata and filter state. */
export type MatchInput = (connection: ConnectionFacts, stream: StreamFacts | null) => unknown;

const filled = (text: string | undefined): string | undefined => (text === undefined || text === '' ? undefined : text);
const joined = (list: readonly string[] | undefined): string | undefined => filled(list?.join(','));
function local(c: ConnectionFacts): boolean { return c.remoteIp === c.localIp || c.remoteIp.startsWith('127.') || c.remoteIp === '::1'; }

export function makeInput(plan: MatchInputPlan): MatchInput {
  switch (plan.kind) {
    case 'request-header': { const { name } = plan; return name.charCodeAt(0) === 58 ? (_c, s) => s?.request?.get(name) : (_c, s) => s?.request?.joined(name); }
    case 'request-trailer': { const { name } = plan; return (_c, s) => s?.requestTrailers?.joined(name); }
    case 'response-header': { const { name } = plan; return name === ':status' ? (_c, s) => s?.response?.get(name) : (_c, s) => s?.response?.joined(name); }
    case 'response-trailer': { const { name } = plan; return (_c, s) => s?.responseTrailers?.joined(name); }
    case 'query': { const { name } = plan; return (_c, s) => queryValue(s?.request?.path ?? '', name); }
    case 'status': return (_c, s) => (s === null || s.status === 0 ? undefined : String(s.status));
    case 'status-class': return (_c, s) => (s === null || s.status === 0 ? undefined : `${Math.floor(s.status / 100)}xx`);
    case 'destination-ip': return (c) => filled(c.localIp);
    case 'destination-port': return (c) => (c.localIp === '' ? undefined : String(c.localPort));
    case 'source-ip': return (c, s) => filled(s === null ? c.remoteIp : s.remoteIp);
    case 'source-port': return (c, s) => (c.remoteIp === '' ? undefined : String(s === null ? c.remotePort : s.remotePort));
    case 'direct-source-ip': return (c) => filled(c.directRemoteIp);
    case 'source-type': return (c) => (local(c) ? 'local' : undefined);
    case 'server-name': return (c) => filled(c.serverName);
    case 'transport-protocol': return (c) => filled(c.transportProtocol);
    case 'application-protocol': return (c) => filled(c.requestedApplicationProtocols.map((p) => `'${p}'`).join(','));
    case 'uri-san': return (c) => joined(c.tls?.peerUriSans);
    case 'dns-san': return (c) => joined(c.tls?.peerDnsSans);
    case 'subject': return (c) => filled(c.tls?.peerSubject);
    case 'filter-state': { const { key } = plan; return (c, s) => s?.filterState?.get(key) ?? c.filterState?.get(key); }
    case 'metadata': { const { filter, path } = plan; return (_c, s) => valueAt(s?.metadata ?? null, filter, path); }
  }
}

/** First value of a query parameter, decoded. */
export function queryValue(path: string, name: string): string | undefined {
  const q = path.indexOf('?');
  if (q < 0) return undefined;
  for (const part of path.slice(q + 1).split('&')) {
    const eq = part.indexOf('=');
    if (decoded(eq < 0 ? part : part.slice(0, eq)) === name) return eq < 0 ? '' : decoded(part.slice(eq + 1));
  }
  return undefined;
}

/** Escapes decoded byte by byte; what is no escape stays. */
function decoded(text: string): string { return text.includes('%') ? text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))) : text; }
