// Which frames belong to the connection and which to a stream, and how long those of fixed length are (RFC 9113 section 6).
import { ERROR, FRAME } from './frames.ts';

const OK = -1;

/** An HTTP/2 error code that ends the connection, or -1. */
export function misshapen(type: number, stream: number, length: number): number {
  switch (type) {
    case FRAME.WINDOW_UPDATE: return length === 4 ? OK : ERROR.FRAME_SIZE_ERROR;
    case FRAME.SETTINGS: return stream === 0 ? OK : ERROR.PROTOCOL_ERROR;
    case FRAME.RST_STREAM: return stream === 0 ? ERROR.PROTOCOL_ERROR : length === 4 ? OK : ERROR.FRAME_SIZE_ERROR;
    case FRAME.PRIORITY: return stream === 0 ? ERROR.PROTOCOL_ERROR : length === 5 ? OK : ERROR.FRAME_SIZE_ERROR;
    case FRAME.PING: return stream !== 0 ? ERROR.PROTOCOL_ERROR : length === 8 ? OK : ERROR.FRAME_SIZE_ERROR;
    case FRAME.GOAWAY: return stream !== 0 ? ERROR.PROTOCOL_ERROR : length >= 8 ? OK : ERROR.FRAME_SIZE_ERROR;
    default: return OK;
  }
}
