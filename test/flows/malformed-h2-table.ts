// The HTTP/2 twins of malformed-table.ts: header blocks and bodies that RFC 9113 8.1-8.3 calls malformed, and what Envoy 1.40 does with each (`LAX`:
// override_stream_error_on_invalid_http_message, `strict`: without, which is the default). Fields are raw bytes; nothing is lower-cased, joined or checked on the way.

export type Field = readonly [string, string];
export interface Malformed2 {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly body?: string;
  readonly trailers?: readonly Field[];
  /** What comes back on stream 1, or for the connection: 'RST 1 CODE', 'GOAWAY 1 CODE', or the status. */
  readonly lax: string; readonly strict: string;
  /** The head the upstream gets, where the request is in order after all. */
  readonly upstream?: string;
}

const M: Field = [':method', 'GET'], S: Field = [':scheme', 'http'], P: Field = [':path', '/p'], A: Field = [':authority', 'x'];
const get = (...more: Field[]): Field[] => [M, S, P, A, ...more];
const method = (m: string, ...more: Field[]): Field[] => [[':method', m], S, P, A, ...more];
const path = (p: string, m = 'GET'): Field[] => [[':method', m], S, [':path', p], A];
const host = (a: string): Field[] => [M, S, P, [':authority', a]];
const bad = (name: string, fields: readonly Field[], lax = 'RST 1 1', strict = 'GOAWAY 1 1', more: Partial<Malformed2> = {}): Malformed2 => ({ name, fields, lax, strict, ...more });
const body = (name: string, length: string, text: string, strict = 'RST 1 1'): Malformed2 => bad(name, method('POST', ['content-length', length]), 'RST 1 1', strict, { body: text });
const trailers = (name: string, ...fields: Field[]): Malformed2 => bad(name, method('POST'), 'RST 1 1', 'GOAWAY 1 1', { body: 'abc', trailers: fields });

export const MALFORMED_H2: readonly Malformed2[] = [
  bad('no :method', [S, P, A]),
  bad('no :scheme', [M, P, A]),
  bad('no :path', [M, S, A]),
  bad('no :authority and no host', [M, S, P]),
  bad('no field at all', []),
  bad('two :methods', [M, M, S, P, A]),
  bad('two different :methods', [M, [':method', 'POST'], S, P, A]),
  bad('two :schemes', [M, S, S, P, A]),
  bad('two :paths', [M, S, P, [':path', '/smuggled'], A]),
  bad('two :authorities', [M, S, P, A, [':authority', 'smuggled']]),
  bad(':path after a regular field', [M, S, A, ['x-a', 'b'], P]),
  bad(':authority after a regular field', [M, S, P, ['x-a', 'b'], A]),
  bad('an unknown pseudo field', [M, S, P, A, [':smuggled', 'v']]),
  bad(':status in a request', [M, S, P, A, [':status', '200']]),
  bad(':protocol without extended CONNECT', [M, S, P, A, [':protocol', 'websocket']]),
  bad('an empty pseudo name', [M, S, P, A, [':', 'v']]),
  bad('an upper-case name', get(['X-Smuggled', 'v'])),
  bad('one upper-case letter', get(['x-smuggleD', 'v'])),
  bad('an upper-case pseudo name', [[':Method', 'GET'], S, P, A]),
  bad('an empty name', get(['', 'smuggled'])),
  bad('a space in a name', get(['x smuggled', 'v'])),
  bad('a colon in a name', get(['x-smuggled:v', 'v'])),
  bad('CR LF in a name', get(['x-a: b\r\nx-smuggled', 'v'])),
  bad('LF in a name', get(['x-a\nx-smuggled', 'v'])),
  bad('NUL in a name', get(['x-\0smuggled', 'v'])),
  bad('a byte above 127 in a name', get(['x-\xe4smuggled', 'v'])),
  bad('CR LF in a value', get(['x-a', 'b\r\nx-smuggled: v'])),
  bad('a request in a value', get(['x-a', 'b\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n'])),
  bad('LF in a value', get(['x-a', 'b\nx-smuggled: v'])),
  bad('CR in a value', get(['x-a', 'b\rx-smuggled: v'])),
  bad('NUL in a value', get(['x-a', 'b\0smuggled'])),
  bad('a control byte in a value', get(['x-a', 'b\x01smuggled'])),
  bad('DEL in a value', get(['x-a', 'b\x7fsmuggled'])),
  bad('connection', get(['connection', 'x-smuggled'])),
  bad('keep-alive', get(['keep-alive', 'timeout=5'])),
  bad('proxy-connection', get(['proxy-connection', 'close'])),
  bad('transfer-encoding', method('POST', ['transfer-encoding', 'chunked']), undefined, undefined, { body: '0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n' }),
  bad('upgrade', get(['upgrade', 'websocket'])),
  bad('te: gzip', get(['te', 'gzip'])),
  bad('te: trailers, gzip', get(['te', 'trailers, gzip'])),
  body('less body than content-length', '10', 'abc'),
  body('more body than content-length', '3', 'abcGET /smuggled HTTP/1.1\r\n\r\n'),
  body('a body with content-length 0', '0', 'smuggled'),
  bad('content-length and no body', method('POST', ['content-length', '3'])),
  bad('two different content-lengths', method('POST', ['content-length', '3'], ['content-length', '4']), undefined, undefined, { body: 'abc' }),
  bad('the same content-length twice', method('POST', ['content-length', '3'], ['content-length', '3']), undefined, undefined, { body: 'abc' }),
  body('a list of content-lengths', '3, 3', 'abc', 'GOAWAY 1 1'),
  body('a negative content-length', '-3', 'abc', 'GOAWAY 1 1'),
  body('a content-length with a plus', '+3', 'abc', 'GOAWAY 1 1'),
  body('a hexadecimal content-length', '0x3', 'abc', 'GOAWAY 1 1'),
  body('an empty content-length', '', 'abc', 'GOAWAY 1 1'),
  body('a content-length that overflows', '99999999999999999999', 'abc', 'GOAWAY 1 1'),
  bad('an empty :path', path('')),
  bad('a :path without slash', path('smuggled')),
  bad('a :path that is a URL', path('http://smuggled/')),
  bad('* for GET', path('*')),
  bad('CR LF in :path', path('/ HTTP/1.1\r\nx-smuggled: v')),
  bad('LF in :path', path('/a\nsmuggled')),
  bad('NUL in :path', path('/\0smuggled')),
  bad('a space in :path', path('/ smuggled')),
  bad('a tab in :path', path('/\tsmuggled')),
  bad('an empty :method', method('')),
  bad('a space in :method', method('GET /smuggled')),
  bad('a space after :method', method('GET ')),
  bad('CR LF in :method', method('GET / HTTP/1.1\r\nx-smuggled: v\r\n\r\nGET')),
  bad('NUL in :method', method('GE\0T')),
  bad('a bad byte in :method', method('GE(T')),
  bad('an empty :scheme', [M, [':scheme', ''], P, A]),
  bad('CR LF in :scheme', [M, [':scheme', 'http\r\nx-smuggled: v'], P, A]),
  bad('a :scheme that is none', [M, [':scheme', '1http'], P, A]),
  bad('an empty :authority', host('')),
  bad('CR LF in :authority', host('x\r\nx-smuggled: v')),
  bad('NUL in :authority', host('x\0smuggled')),
  bad('a space in :authority', host('x smuggled')),
  bad('a slash in :authority', host('x/smuggled')),
  bad('a user in :authority', host('smuggled@x')),
  bad('an empty host and no :authority', [M, S, P, ['host', '']]),
  bad('CR LF in host', [M, S, P, ['host', 'x\r\nx-smuggled: v']]),
  bad('two hosts', [M, S, P, ['host', 'x'], ['host', 'smuggled']]),
  bad('CONNECT with :path', [[':method', 'CONNECT'], P, A]),
  bad('CONNECT with :scheme', [[':method', 'CONNECT'], S, A]),
  bad('CONNECT without :authority', [[':method', 'CONNECT']]),
  trailers('a pseudo field in trailers', [':path', '/smuggled']),
  trailers(':status in trailers', [':status', '200']),
  trailers('an upper-case name in trailers', ['X-Smuggled', 'v']),
  trailers('CR LF in a trailer', ['x-a', 'b\r\nx-smuggled: v']),
  trailers('connection in trailers', ['connection', 'close']),
  trailers('transfer-encoding in trailers', ['transfer-encoding', 'chunked']),
  // Answered, or in order after all. Blanks around a value: Envoy hands them on, where an HTTP/1 upstream reads the same value; here they do not leave HTTP/2.
  bad('a value that begins with a space', get(['x-a', ' kept']), '200', '200', { upstream: 'GET /p HTTP/1.1|host: x|x-a: kept||' }),
  bad('a value that ends with a tab', get(['x-a', 'kept\t']), '200', '200', { upstream: 'GET /p HTTP/1.1|host: x|x-a: kept||' }),
  bad('a fragment in :path', path('/a#smuggled'), '400', '400'),
  bad('host other than :authority', get(['host', 'smuggled']), '200', '200', { upstream: 'GET /p HTTP/1.1|host: x||' }),
  bad('* for OPTIONS', path('*', 'OPTIONS'), '404', '404'),
  bad('CONNECT as it should be', [[':method', 'CONNECT'], A], '404', '404'),
  bad('host in place of :authority', [M, S, P, ['host', 'x']], '200', '200', { upstream: 'GET /p HTTP/1.1|host: x||' }),
  bad('host as :authority', get(['host', 'x']), '200', '200', { upstream: 'GET /p HTTP/1.1|host: x||' }),
  bad('te: trailers', get(['te', 'trailers']), '200', '200', { upstream: 'GET /p HTTP/1.1|host: x|te: trailers||' }),
  bad('an unknown method', method('NONSENSE'), '200', '200', { upstream: 'NONSENSE /p HTTP/1.1|host: x|content-length: 0||' }),
  bad('bytes above 127 in a value', get(['x-a', 'b\xe4c']), '200', '200', { upstream: 'GET /p HTTP/1.1|host: x|x-a: b\xe4c||' }),
];
