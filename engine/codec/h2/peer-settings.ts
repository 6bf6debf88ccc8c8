// What the peer has announced (RFC 9113 section 6.5.2).
import type { HpackEncoder } from '../hpack/encoder.ts';
import { DEFAULT_WINDOW, ERROR, FRAME_SIZE, MAX_WINDOW, SETTING } from './frames.ts';

/** Entries of one frame; Envoy's codec takes no more either. */
const MOST = 32;

export class PeerSettings {
  /** Window of a new stream. */
  initialWindow = DEFAULT_WINDOW;
  /** Streams at a time that we may open. */
  maxStreams = Infinity;
  /** Extended CONNECT is taken (RFC 8441). */
  takesConnect = false;
  private readonly mayPush: boolean;

  /** `mayPush`: the peer is a client, whose ENABLE_PUSH may be 1. */
  constructor(mayPush: boolean) { this.mayPush = mayPush; }

  /** Takes the payload of a SETTINGS frame; an HTTP/2 error code, or -1. */
  apply(bytes: Buffer, start: number, end: number, encoder: HpackEncoder): number {
    if ((end - start) % 6 !== 0) return ERROR.FRAME_SIZE_ERROR;
    if (end - start > MOST * 6) return ERROR.ENHANCE_YOUR_CALM;
    for (let at = start; at < end; at += 6) {
      const value = bytes.readUInt32BE(at + 2);
      switch (bytes.readUInt16BE(at)) {
        case SETTING.HEADER_TABLE_SIZE: encoder.setTableSize(value); break;
        case SETTING.ENABLE_PUSH: if (value > 1 || (value === 1 && !this.mayPush)) return ERROR.PROTOCOL_ERROR; break;
        case SETTING.MAX_CONCURRENT_STREAMS: this.maxStreams = value; break;
        case SETTING.INITIAL_WINDOW_SIZE: if (value > MAX_WINDOW) return ERROR.FLOW_CONTROL_ERROR; this.initialWindow = value; break;
        case SETTING.MAX_FRAME_SIZE: if (value < FRAME_SIZE || value > 0xffffff) return ERROR.PROTOCOL_ERROR; break; // FRAME_SIZE is all that we use
        case SETTING.ENABLE_CONNECT_PROTOCOL: if (value > 1) return ERROR.PROTOCOL_ERROR; this.takesConnect = value === 1; break;
      }
    }
    return -1;
  }
}
