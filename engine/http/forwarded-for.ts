// Who the client is (Envoy: use_remote_address, xff_num_trusted_hops, original_ip_detection_extensions): the trusted address, whether it is alone, and what
// x-forwarded-for becomes.
import type { RequestHeaders } from '../headers/headers.ts';
import { Cidr, inRanges, parseIp } from '../net/cidr.ts';
import type { HcmPlan, IpDetectionPlan } from '../plan/hcm-plan.ts';

/** One answer object for all requests of a thread. */
export class ClientAddress { ip = ''; /** The client was the only one named, so it may be judged internal. */ single = false; rejectStatus = 0; skipAppend = false }

/** The `back`-th last entry of x-forwarded-for (0: the last), '' where there is none or it is no address. */
function fromXff(xff: string | undefined, back: number): { ip: string; single: boolean } {
  if (xff === undefined) return { ip: '', single: false };
  const parts = xff.split(',');
  const text = parts[parts.length - 1 - back]?.trim() ?? '';
  return { ip: parseIp(text) === null ? '' : text, single: parts.length === 1 };
}

function detect(d: IpDetectionPlan, trusted: readonly Cidr[] | null, headers: RequestHeaders, remoteIp: string, out: ClientAddress): boolean {
  if (d.kind === 'header') {
    const value = headers.get(d.header) ?? '';
    if (parseIp(value) !== null) { out.ip = value; out.single = d.trust; return true; }
    out.rejectStatus = d.rejectStatus;
    return false;
  }
  out.skipAppend = d.skipAppend;
  if (trusted === null) {
    const { ip, single } = fromXff(headers.joined('x-forwarded-for'), d.hops);
    if (ip === '') return false;
    out.ip = ip; out.single = single;
    return true;
  }
  // From the nearest hop outward as long as the hops are trusted.
  const parts = (headers.joined('x-forwarded-for') ?? '').split(',').map((p) => p.trim()).filter((p) => p !== '');
  if (!inRanges(trusted, remoteIp)) return false;
  for (let i = parts.length - 1; i >= 0; i--) {
    if (parseIp(parts[i]!) === null) return false;
    if (i === 0 || !inRanges(trusted, parts[i]!)) { out.ip = parts[i]!; out.single = parts.length === 1; return true; }
  }
  return false;
}

export class AddressDetector {
  private readonly plan: HcmPlan;
  private readonly detection: readonly { readonly plan: IpDetectionPlan; readonly trusted: readonly Cidr[] | null }[];
  private readonly internal: readonly Cidr[];
  constructor(plan: HcmPlan) {
    this.plan = plan;
    this.detection = plan.detection.map((p) => ({ plan: p, trusted: p.kind === 'xff' && p.trusted !== null ? p.trusted.map((c) => new Cidr(c.ip, c.bits)) : null }));
    this.internal = (plan.internal?.ranges ?? []).map((c) => new Cidr(c.ip, c.bits));
  }

  isInternal(ip: string): boolean { return ip === '' ? this.plan.internal?.unix === true : inRanges(this.internal, ip); }

  /** Finds the client. `out.ip` stays '' where only the connection tells. */
  find(headers: RequestHeaders, remoteIp: string, out: ClientAddress): void {
    out.ip = ''; out.single = false; out.rejectStatus = 0; out.skipAppend = false;
    const plan = this.plan;
    if (plan.useRemoteAddress) {
      out.single = !headers.has('x-forwarded-for');
      if (plan.hops > 0) out.ip = fromXff(headers.joined('x-forwarded-for'), plan.hops - 1).ip;
      return;
    }
    if (this.detection.length === 0) {
      const xff = headers.joined('x-forwarded-for');
      if (xff === undefined) return;
      const found = fromXff(xff, plan.hops);
      out.ip = found.ip; out.single = found.ip !== '' && found.single;
      return;
    }
    for (const d of this.detection) {
      if (detect(d.plan, d.trusted, headers, remoteIp, out)) { out.rejectStatus = 0; return; }
      if (out.rejectStatus !== 0) return;
    }
  }
}
