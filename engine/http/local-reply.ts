// Answers made by the proxy itself, as Envoy's sendLocalReply writes them: text body, local_reply_config's mappers and formats, gRPC form for gRPC requests.
import { ResponseHeaders, toByteString } from '../headers/headers.ts';
import type { StreamFacts } from '../observe/stream-facts.ts';
import type { LocalReply, StreamView } from './filter.ts';
import type { Route } from './route.ts';
import { grpcStatusOf, isGrpc } from '../observe/grpc-status.ts';
import type { HcmRuntime } from './hcm-runtime.ts';

export { grpcStatusOf, isGrpc };

export interface BuiltReply { readonly headers: ResponseHeaders; readonly body: string }

/** Builds the answer and notes it in the facts. The body is a byte string. */
export function buildLocalReply(runtime: HcmRuntime, stream: StreamView, facts: StreamFacts, reply: LocalReply, route: Route | null): BuiltReply {
  const headers = new ResponseHeaders();
  headers.status = facts.status = reply.status;
  facts.response = headers;
  facts.statusDetails = reply.details;
  facts.flags |= reply.flags;
  reply.headers?.(headers, stream);
  // The route's headers are made while there is no response code yet, as in Envoy.
  facts.status = 0;
  if (route !== null && (!route.answersItself || reply.details === 'direct_response')) route.finalizeResponse(headers, facts);
  facts.status = headers.status;
  let body = toByteString(reply.body), contentType = reply.contentType;
  facts.localReplyBody = body;
  if (runtime.mappers.length > 0 || runtime.bodyFormat !== null) {
    const mapped = mapReply(runtime, facts, headers, body);
    if (mapped !== null) { body = mapped.body; if (mapped.contentType !== '') contentType = mapped.contentType; }
  }
  facts.status = headers.status;
  if (facts.grpc) return grpcReply(headers, reply, body);
  if (body !== '') { headers.set('content-length', String(body.length)); if (!headers.has('content-type')) headers.add('content-type', contentType); } else { headers.remove('content-type'); headers.remove('content-length'); }
  return { headers, body };
}

function mapReply(runtime: HcmRuntime, facts: StreamFacts, headers: ResponseHeaders, original: string): { body: string; contentType: string } | null {
  let format = runtime.bodyFormat, body = original;
  for (const m of runtime.mappers) {
    if (!m.matches(facts)) continue;
    if (m.status !== 0) headers.status = facts.status = m.status;
    if (m.body !== null) { body = m.body; facts.localReplyBody = body; }
    m.headers.apply(headers, facts);
    format = m.format ?? format;
    break;
  }
  return format === null ? { body, contentType: '' } : { body: format.format(facts), contentType: format.contentType };
}

function grpcReply(headers: ResponseHeaders, reply: LocalReply, body: string): BuiltReply {
  const status = reply.grpcStatus >= 0 ? reply.grpcStatus : grpcStatusOf(headers.status);
  headers.status = 200;
  headers.set('content-type', 'application/grpc');
  headers.set('grpc-status', String(status));
  if (body !== '') headers.set('grpc-message', grpcMessage(body));
  return { headers, body: '' };
}

/** Text as grpc-message carries it: percent-encoded where it is not printable. */
export function grpcMessage(text: string): string { return text.replace(/[^\x20-\x24\x26-\x7e]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`); }
