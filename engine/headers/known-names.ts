// Interned header names: a name read from the wire becomes one and the same string object each time, so that lookups compare pointers.
// A table by hash over the lower-cased bytes, filled with the usual names; unknown names take the place of an earlier unknown one, so it cannot grow.
import { TOKEN_LOWER } from './char-class.ts';

const USUAL = ('accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-credentials access-control-allow-headers access-control-allow-methods access-control-allow-origin ' +
  'access-control-expose-headers access-control-max-age access-control-request-headers access-control-request-method age allow alt-svc authorization cache-control connection content-disposition content-encoding ' +
  'content-language content-length content-location content-range content-security-policy content-type cookie date dnt etag expect expires forwarded from grpc-accept-encoding grpc-encoding grpc-message grpc-status ' +
  'grpc-timeout host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive last-modified link location max-forwards origin pragma proxy-authenticate proxy-authorization proxy-connection ' +
  'range referer retry-after sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-websocket-accept sec-websocket-extensions sec-websocket-key ' +
  'sec-websocket-protocol sec-websocket-version server set-cookie strict-transport-security te trailer transfer-encoding upgrade upgrade-insecure-requests user-agent vary via warning www-authenticate ' +
  'x-b3-parentspanid x-b3-sampled x-b3-spanid x-b3-traceid x-client-trace-id x-content-type-options x-envoy-attempt-count x-envoy-decorator-operation x-envoy-downstream-service-cluster x-envoy-expected-rq-timeout-ms ' +
  'x-envoy-external-address x-envoy-internal x-envoy-max-retries x-envoy-original-path x-envoy-retry-on x-envoy-upstream-alt-stat-name x-envoy-upstream-rq-timeout-ms x-envoy-upstream-service-time x-forwarded-client-cert ' +
  'x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-frame-options x-powered-by x-real-ip x-request-id x-requested-with x-xss-protection traceparent tracestate').split(' ');

const SIZE = 2048;
const table: (string | undefined)[] = new Array<string | undefined>(SIZE).fill(undefined);
const fixed = new Uint8Array(SIZE);

/** Hash step over a lower-cased byte; start with 0. The reader runs it while it scans the name. */
export function hashStep(hash: number, byte: number): number { return (Math.imul(hash, 31) + byte) | 0; }

/** The engine's one string of that content, as its literals are: what is a property's name is that, and is no part of another string, which it would keep. */
function unique(text: string): string { return Object.keys({ [text]: 0 })[0]!; }

/** The interned name that stands in `bytes` at [start, end) in any case; they are known to be tokens. `hash` is of the lower-cased bytes. */
export function internName(bytes: Buffer, start: number, end: number, hash: number): string {
  const slot = (hash ^ (hash >>> 11)) & (SIZE - 1);
  const known = table[slot];
  const length = end - start;
  if (known !== undefined && known.length === length) {
    let i = 0;
    while (i < length && TOKEN_LOWER[bytes[start + i]!] === known.charCodeAt(i)) i++;
    if (i === length) return known;
  }
  const name = unique(bytes.latin1Slice(start, end).toLowerCase());
  if (fixed[slot] === 0 && length <= 64) table[slot] = name;
  return name;
}

for (const name of USUAL.map(unique)) {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = hashStep(hash, name.charCodeAt(i));
  const slot = (hash ^ (hash >>> 11)) & (SIZE - 1);
  if (table[slot] === undefined) { table[slot] = name; fixed[slot] = 1; }
}
