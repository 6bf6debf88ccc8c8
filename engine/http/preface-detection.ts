// codec_type AUTO without ALPN: the first bytes tell HTTP/2 with prior knowledge from HTTP/1 (RFC 9113 section 3.3). What has come is kept until it is told,
// at most the twelve bytes that Envoy looks at.
const PREFIX = Buffer.from('PRI * HTTP/2', 'latin1');

export class PrefaceDetection {
  private seen = 0;

  /** 'more': no more than a part of the preface has come; then these bytes need not be kept: `prefix` gives them again. */
  look(bytes: Buffer, start: number, end: number): 'h1' | 'h2' | 'more' {
    for (let at = start; at < end; at++) {
      if (bytes[at] !== PREFIX[this.seen]) return 'h1';
      if (++this.seen === PREFIX.length) return 'h2';
    }
    return 'more';
  }

  /** Bytes of earlier calls that belong to the connection. Ask before the `look` that tells. */
  get length(): number { return this.seen; }
  static readonly prefix = PREFIX;
}
