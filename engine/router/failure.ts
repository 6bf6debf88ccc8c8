// How an attempt can end without an answer: a closed list with Envoy's words, flags and statuses (StreamResetReason and its texts).
import type { PeerFault } from '../base/fault.ts';
import type { ResetReason } from '../codec/codec.ts';
import type { ResponseHeaders } from '../headers/headers.ts';
import { LocalReply } from '../http/filter.ts';
import { flagBit } from '../observe/response-flags.ts';
import type { ResetKind } from './retry-policy.ts';

export const FLAG = { NR: flagBit('NR'), NC: flagBit('NC'), UH: flagBit('UH'), UO: flagBit('UO'), UF: flagBit('UF'), UC: flagBit('UC'), UT: flagBit('UT'), UPE: flagBit('UPE'), UR: flagBit('UR'), LR: flagBit('LR'), URX: flagBit('URX'), UMSDR: flagBit('UMSDR'), DO: flagBit('DO'), UDO: flagBit('UDO') };
const PREFIX = 'upstream connect error or disconnect/reset before headers. ';

export interface Failure { readonly word: string; readonly kind: ResetKind; readonly flag: number; readonly status: number; /** What the transport says of a failed connection, ''. */ readonly transport: string }

const failure = (word: string, flag: number, kind: ResetKind = 'other', status = 503, transport = ''): Failure => ({ word, kind, flag, status, transport });
const OVERFLOW = failure('overflow', FLAG.UO, 'overflow');
const PROTOCOL = failure('protocol error', FLAG.UPE, 'other', 502);
export const LOCAL_RESET = failure('local reset', FLAG.LR);
const BY_REASON: Readonly<Record<ResetReason, Failure>> = {
  remote: failure('remote reset', FLAG.UR), refused: failure('remote refused stream reset', FLAG.UR, 'refused'), local: LOCAL_RESET, 'connection-end': failure('connection termination', FLAG.UC), overflow: OVERFLOW,
  'connection-failure': failure('remote connection failure', FLAG.UF, 'connect'), 'protocol-error': PROTOCOL, 'connect-error': failure('remote error with CONNECT request', FLAG.UR), 'no-error': failure('remote reset', FLAG.UR),
};

/** The circuit breaker of pools is open: to the client it is as if there were no host. */
export const NO_POOL = failure('overflow', FLAG.UH);

/** No connection could be had. `transport`: the reason in words, '' for none. */
export function leaseFailure(why: 'overflow' | 'connect-failure' | 'connect-timeout' | 'no-pool', transport: string): Failure {
  if (why === 'overflow') return OVERFLOW;
  if (why === 'no-pool') return NO_POOL;
  return failure(why === 'connect-timeout' ? 'connection timeout' : 'remote connection failure', FLAG.UF, 'connect', 503, transport);
}
/** The stream was reset. */
export function resetFailure(reason: ResetReason, fault: PeerFault | null): Failure { return fault !== null ? PROTOCOL : BY_REASON[reason]; }

function overloaded(h: ResponseHeaders): void { h.set('x-envoy-overloaded', 'true'); }
function inBraces(f: Failure): string { return `{${f.word.replaceAll(' ', '_')}${f.transport === '' ? '' : `|${f.transport.replaceAll(' ', '_')}`}}`; }

/** Response code details of a failure before, or after, the answer began. */
export function failureDetails(f: Failure, started: boolean): string { return `upstream_reset_${started ? 'after' : 'before'}_response_started${inBraces(f)}`; }
/** The answer for a client whose request ended so. `started`: the upstream had begun with an informational answer. */
export function failureReply(f: Failure, retried: boolean, suppressEnvoy: boolean, started = false): LocalReply {
  return new LocalReply(f.status, `${PREFIX}${retried ? 'retried and the latest ' : ''}reset reason: ${f.word}`, failureDetails(f, started), f.flag, f.kind === 'overflow' && !suppressEnvoy ? overloaded : null);
}
