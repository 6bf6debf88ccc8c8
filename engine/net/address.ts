// Addresses as Envoy prints them: '1.2.3.4:80', '[::1]:80', '/run/x.sock', '@abstract'.

export interface IpAddress { readonly kind: 'ip'; readonly family: 4 | 6; /** Canonical text, without brackets. */ readonly ip: string; readonly port: number }
export interface PipeAddress { readonly kind: 'pipe'; /** '@…' is the abstract namespace. */ readonly path: string; readonly mode: number }
export interface InternalAddress { readonly kind: 'internal'; readonly listener: string; readonly endpointId: string }
export type Address = IpAddress | PipeAddress | InternalAddress;

export function ipAddress(ip: string, port: number): IpAddress {
  return { kind: 'ip', family: ip.includes(':') ? 6 : 4, ip, port };
}

/** Envoy's asString. */
export function formatAddress(a: Address): string {
  switch (a.kind) {
    case 'ip': return a.family === 6 ? `[${a.ip}]:${a.port}` : `${a.ip}:${a.port}`;
    case 'pipe': return a.path;
    case 'internal': return a.endpointId === '' ? `envoy://${a.listener}/` : `envoy://${a.listener}/${a.endpointId}`;
  }
}

/** '1.2.3.4:80' or '[::1]:80'; null for anything else. */
export function parseHostPort(text: string): IpAddress | null {
  const m = /^(?:\[([0-9a-fA-F:.%]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  return m === null ? null : ipAddress(m[1] ?? m[2]!, Number(m[3]));
}
