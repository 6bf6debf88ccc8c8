// The PROXY header that an upstream connection begins with, made of what is known of the client.
import { ipAddress, type IpAddress } from '../../net/address.ts';
import { writeV1, writeV2, type Tlv } from '../../net/proxy-protocol.ts';
import type { ConnectionFacts } from '../../observe/stream-facts.ts';
import type { ProxyProtocolUpstreamPlan } from '../../plan/proxy-protocol-plan.ts';
import type { TransportSocket } from '../../net/transport/transport.ts';

const side = (ip: string, port: number): IpAddress | null => (ip === '' ? null : ipAddress(ip, port));

/** Writes the header to a socket that begins to connect: it is the first that the host sees. `client` null: nobody's connection (a check of ours). False: it cannot be written (TLVs beyond 64 KiB). */
export function writeProxyHeader(socket: TransportSocket, plan: ProxyProtocolUpstreamPlan, client: ConnectionFacts | null): boolean {
  const remote = client === null ? null : side(client.remoteIp, client.remotePort), local = client === null ? null : side(client.localIp, client.localPort);
  if (plan.version === 1) { socket.writeLatin1(writeV1(remote, local)); return true; }
  const { passThrough } = plan, own = new Set(plan.added.map((t) => t.type));
  const passed: readonly Tlv[] = passThrough === null ? [] : (client?.proxyTlvs ?? []).filter((t) => (passThrough === 'all' || passThrough.includes(t.type)) && !own.has(t.type));
  const header = writeV2(remote, local, [...plan.added, ...passed]);
  if (header === null) return false;
  socket.write(header, 0, header.length);
  return true;
}
