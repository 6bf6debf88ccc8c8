// Heads as bytes: start line, field lines, blank line, built as one string and written once. Names go out lower case, in proper case, or as they came.
import type { Headers } from '../../headers/headers.ts';

export type NameFormat = 'lower' | 'proper' | 'preserve';

const PROPER = new Map<string, string>();

/** 'x-request-id' → 'X-Request-Id'. Remembered, in a bounded table. */
export function properCase(name: string): string {
  let out = PROPER.get(name);
  if (out === undefined) {
    out = name.replace(/(^|[^a-z0-9])([a-z])/g, (_, before: string, c: string) => before + c.toUpperCase());
    if (PROPER.size < 2048) PROPER.set(name, out);
  }
  return out;
}

/** The spelling of a name that the codec itself adds to a message: as the message had it from its sender where spelling is kept. */
export function ownName(name: string, format: NameFormat, headers: Headers): string {
  if (headers.spelling === null) return format === 'proper' ? properCase(name) : name;
  return headers.hopSpelling?.get(name) ?? (headers.addedInProperCase ? properCase(name) : name);
}

const BEGINNINGS = new Map<string, string>();
/** 'x-request-id: ', remembered in a bounded table: one lookup costs less than two strings made. */
function beginning(name: string): string {
  const known = BEGINNINGS.get(name);
  if (known !== undefined) return known;
  const made = name + ': ';
  if (BEGINNINGS.size < 2048) BEGINNINGS.set(name, made);
  return made;
}

/** All lines of a list, each with its line end. A list that keeps its spelling is written so whatever the format is (Envoy: a stateful formatter goes with the message). */
export function fieldLines(headers: Headers, format: NameFormat): string {
  const flat = headers.flat, { spelling } = headers;
  let out = '';
  if (spelling === null && format !== 'proper') { for (let i = 0; i < flat.length; i += 2) out = out + beginning(flat[i]!) + flat[i + 1]! + '\r\n'; return out; }
  for (let i = 0; i < flat.length; i += 2) {
    const own = flat[i]!, kept = spelling === null ? '' : spelling[i >> 1]!;
    out += (kept !== '' ? kept : spelling === null || headers.addedInProperCase ? properCase(own) : own) + ': ' + flat[i + 1]! + '\r\n';
  }
  return out;
}

const PHRASES: Record<number, string> = {
  100: 'Continue', 101: 'Switching Protocols', 102: 'Processing', 103: 'Early Hints', 200: 'OK', 201: 'Created', 202: 'Accepted', 203: 'Non-Authoritative Information', 204: 'No Content', 205: 'Reset Content',
  206: 'Partial Content', 207: 'Multi-Status', 208: 'Already Reported', 226: 'IM Used', 300: 'Multiple Choices', 301: 'Moved Permanently', 302: 'Found', 303: 'See Other', 304: 'Not Modified', 305: 'Use Proxy',
  307: 'Temporary Redirect', 308: 'Permanent Redirect', 400: 'Bad Request', 401: 'Unauthorized', 402: 'Payment Required', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 406: 'Not Acceptable',
  407: 'Proxy Authentication Required', 408: 'Request Timeout', 409: 'Conflict', 410: 'Gone', 411: 'Length Required', 412: 'Precondition Failed', 413: 'Payload Too Large', 414: 'URI Too Long', 415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable', 417: 'Expectation Failed', 421: 'Misdirected Request', 422: 'Unprocessable Entity', 423: 'Locked', 424: 'Failed Dependency', 425: 'Too Early', 426: 'Upgrade Required', 428: 'Precondition Required',
  429: 'Too Many Requests', 431: 'Request Header Fields Too Large', 500: 'Internal Server Error', 501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported', 506: 'Variant Also Negotiates', 507: 'Insufficient Storage', 508: 'Loop Detected', 510: 'Not Extended', 511: 'Network Authentication Required',
};

/** Reason phrase of a status; 'Unknown' as Envoy. */
export function reasonPhrase(status: number): string { return PHRASES[status] ?? 'Unknown'; }

const STATUS_LINES: (string | undefined)[] = [];
/** 'HTTP/1.1 200 OK\r\n'. */
export function statusLine(status: number): string { return STATUS_LINES[status] ??= `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`; }
