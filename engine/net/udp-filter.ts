// The shape between a UDP listener and the filter on it.
import type { IpAddress } from './address.ts';
import type { DatagramSocket } from './transport/datagrams.ts';

/** Of one listener in one worker. */
export interface UdpFilter {
  /** A datagram of a client; the bytes are lent. `socket`: the listener's, for answers. */
  onDatagram(socket: DatagramSocket, bytes: Buffer, start: number, end: number, from: IpAddress): void;
  /** The listener is gone or has another version: everything ends. */
  close(): void;
}
