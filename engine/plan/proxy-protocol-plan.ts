// What is told of the client as an upstream connection begins (transport_sockets.proxy_protocol).
import type { ExtensionPlan } from './extension-plan.ts';

export interface ProxyProtocolUpstreamPlan {
  readonly version: 1 | 2;
  /** TLVs of the client's own header that go on; null: none. */
  readonly passThrough: 'all' | readonly number[] | null;
  readonly added: readonly { readonly type: number; readonly value: Uint8Array }[];
  /** The transport socket inside; null: cleartext. */
  readonly inner: ExtensionPlan | null;
}
