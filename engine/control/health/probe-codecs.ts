// The codecs of probes: HTTP/1 writes at once, HTTP/2 gathers a turn's frames, so something has to say when the turn is over.
import type { ClientCodec, ClientHost, CodecOutput } from '../../codec/codec.ts';
import { H1ClientCodec } from '../../codec/h1/client-codec.ts';
import { H2ClientCodec } from '../../codec/h2/client-codec.ts';
import type { Http1OptionsPlan } from '../../plan/http1-options-plan.ts';
import { HTTP2_DEFAULTS, type Http2OptionsPlan } from '../../plan/http2-options-plan.ts';

/** `after` runs a task when the present stack is done. */
export function makeProbeCodec(http2: boolean, options: { readonly http1: Http1OptionsPlan; readonly http2?: Http2OptionsPlan }, after: (task: () => void) => void, host: ClientHost, output: CodecOutput): ClientCodec {
  if (!http2) return new H1ClientCodec(host, output, options.http1);
  const codec: H2ClientCodec = new H2ClientCodec(host, output, options.http2 ?? HTTP2_DEFAULTS, { flushSoon: () => after(() => codec.flush()), count: () => {} });
  return codec;
}
