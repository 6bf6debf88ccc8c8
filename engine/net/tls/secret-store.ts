// The secrets of one worker, by key: opened when their sealed records come, and counted, so that contexts notice a change by one comparison.
import { createHmac } from 'node:crypto';
import type { SecretPlan } from '../../plan/tls-plan.ts';
import { unpack } from '../../plan/plan-wire.ts';
import { unseal } from '../../plan/sealed.ts';

export class SecretStore {
  private readonly key: Uint8Array;
  private readonly secrets = new Map<string, { readonly plan: SecretPlan; readonly version: number }>();
  /** Grows with every change of any secret. */
  version = 1;

  /** `key`: what this process seals its secrets under. */
  constructor(key: Uint8Array) { this.key = key; }

  install(name: string, sealed: Uint8Array): void { this.secrets.set(name, { plan: unpack<SecretPlan>(unseal(this.key, sealed)), version: ++this.version }); }
  remove(name: string): void { if (this.secrets.delete(name)) this.version++; }

  get(name: string): SecretPlan | null { return this.secrets.get(name)?.plan ?? null; }
  /** Version of one secret, 0 where it is not there. */
  versionOf(name: string): number { return this.secrets.get(name)?.version ?? 0; }

  /** 32 bytes that all workers of the process derive alike for a purpose. */
  derive(purpose: string): Uint8Array { return createHmac('sha256', this.key).update(purpose).digest(); }
}
