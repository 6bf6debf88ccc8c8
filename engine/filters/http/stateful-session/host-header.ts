// A session in a header: the host's address in base64, both ways (Envoy: HeaderBasedSessionState).
import type { RequestHeaders, ResponseHeaders } from '../../../headers/headers.ts';
import type { SessionState } from './filter.ts';

/** The bytes of strict base64, or ''. */
export function decodeBase64(text: string): string { return text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64').toString('latin1') : ''; }
export function encodeBase64(text: string): string { return Buffer.from(text, 'latin1').toString('base64'); }

export class HostHeader implements SessionState {
  private readonly name: string;
  constructor(name: string) { this.name = name; }
  read(headers: RequestHeaders): string { return decodeBase64(headers.get(this.name) ?? ''); }
  write(headers: ResponseHeaders, address: string): void { headers.set(this.name, encodeBase64(address)); }
}
