// The system calls on a descriptor that node:net has no words for, through koffi. Where koffi does not load, or on another system than Linux, nothing can be asked or set.
import { createRequire } from 'node:module';
import { ipAddress, type Address } from '../address.ts';
import { textOfIp6 } from '../cidr.ts';
import type { SocketOption } from './transport.ts';

interface Calls {
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint32Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
}

let calls: Calls | null | undefined;

function load(): Calls | null {
  if (process.platform !== 'linux') return null;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as { load(p: string): { func(s: string): (...a: unknown[]) => number } };
    const libc = koffi.load('libc.so.6');
    return { getsockopt: libc.func('int getsockopt(int fd, int level, int name, uint8_t *value, uint32_t *length)'), setsockopt: libc.func('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)') };
  } catch { return null; }
}

/** Whether descriptors can be asked at all. */
export function haveSocketCalls(): boolean { return (calls ??= load()) !== null; }

function getOption(fd: number, level: number, name: number, bytes: number): Buffer | null {
  calls ??= load();
  const value = Buffer.alloc(bytes), length = Uint32Array.of(bytes);
  return calls !== null && calls.getsockopt(fd, level, name, value, length) === 0 ? value.subarray(0, length[0]) : null;
}

export function setOption(fd: number, o: SocketOption): boolean {
  calls ??= load();
  let bytes = o.value;
  if (typeof bytes === 'number') { const b = Buffer.alloc(4); b.writeInt32LE(bytes | 0); bytes = b; }
  return calls !== null && calls.setsockopt(fd, o.level, o.name, bytes, bytes.length) === 0;
}

const SOL_SOCKET = 1, SO_ERROR = 4;
/** What has happened to a socket that nobody reads, as a positive errno; 0: nothing, or it cannot be asked. */
export function pendingError(fd: number): number { return getOption(fd, SOL_SOCKET, SO_ERROR, 4)?.readInt32LE(0) ?? 0; }

const IPPROTO_IP = 0, IPPROTO_IPV6 = 41, SO_ORIGINAL_DST = 80, IP_TRANSPARENT = 19, IPV6_TRANSPARENT = 75;

/** Where the client of an accepted socket at `local` meant to go (as the native transport has it); null: it was not redirected. */
export function originalDestination(fd: number, local: Address): Address | null {
  if (local.kind !== 'ip') return null;
  const six = local.family === 6, level = six ? IPPROTO_IPV6 : IPPROTO_IP, at = getOption(fd, level, SO_ORIGINAL_DST, six ? 28 : 16);
  if (at !== null) return six ? ipAddress(textOfIp6(at.subarray(8, 24)), at.readUInt16BE(2)) : ipAddress(at.subarray(4, 8).join('.'), at.readUInt16BE(2));
  // TPROXY leaves the address in place.
  return (getOption(fd, level, six ? IPV6_TRANSPARENT : IP_TRANSPARENT, 4)?.readInt32LE(0) ?? 0) !== 0 ? local : null;
}
