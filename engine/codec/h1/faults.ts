// The faults that an HTTP/1 peer can make, with Envoy's details (Http1ResponseCodeDetails) and the status that answers them. Made once: an attacker chooses the rate.
import { fault, type PeerFault } from '../../base/fault.ts';

const downstream = (detail: string, status = 400): PeerFault => fault('downstream', 'DPE', detail, status);

export const H1_FAULT = {
  codec: downstream('http1.codec_error'),
  invalidCharacters: downstream('http1.invalid_characters'),
  invalidUrl: downstream('http1.invalid_url'),
  invalidScheme: downstream('http1.invalid_scheme'),
  tooManyHeaders: downstream('http1.too_many_headers', 431),
  headersTooLarge: downstream('http1.headers_too_large', 431),
  trailersTooLarge: downstream('http1.trailers_too_large', 431),
  underscore: downstream('http1.unexpected_underscore'),
  transferEncoding: downstream('http1.invalid_transfer_encoding', 501),
  transferEncodingNotAllowed: downstream('http1.transfer_encoding_not_allowed'),
  chunkedContentLength: downstream('http1.content_length_and_chunked_not_allowed'),
  version: downstream('http1.codec_error', 426),
} as const;

/** A response that could not be understood: 502 UPE. The connection is never used again. */
export const UPSTREAM_FAULT = fault('upstream', 'UPE', 'upstream_reset_before_response_started{protocol_error}', 502);
/** Bytes of an upstream that nobody asked for. */
export const UNASKED_BYTES = fault('upstream', 'UPE', 'http1.unasked_bytes', 0);
