// What a request is told whose name could not be resolved: Envoy's words (of c-ares) for how it failed, made once for each way.
import { LocalReply } from '../../../http/filter.ts';
import { flagBit } from '../../../observe/response-flags.ts';

const DF = flagBit('DF'), UH = flagBit('UH'), NO_RECORDS = 'cares_norecords:', FAILURE = 'cares_failure:';
/** By the resolver's codes. */
const WORDS: { readonly [code: string]: string } = {
  ENOTFOUND: `${NO_RECORDS}Domain name not found`, ENODATA: `${NO_RECORDS}DNS server returned answer with no data`, 'no addresses of the wanted family': `${NO_RECORDS}DNS server returned answer with no data`,
  ESERVFAIL: `${FAILURE}DNS server returned general failure`, EREFUSED: `${FAILURE}DNS server refused query`, ENOTIMP: `${FAILURE}DNS server does not implement requested operation`, EFORMERR: `${FAILURE}DNS server claims query was misformatted`,
  ECONNREFUSED: `${FAILURE}Could not contact DNS servers`, ETIMEOUT: `${FAILURE}Timeout while contacting DNS servers`, EAI_AGAIN: `${FAILURE}Timeout while contacting DNS servers`, timeout: 'resolve_timeout',
};
const made = new Map<string, LocalReply>();

/** `ownName`: the cluster's type has Envoy's own name. One of another name has no host then, as in Envoy, whose filter does not wait for it. */
export function unresolved(error: string, ownName: boolean): LocalReply {
  const key = error in WORDS ? error : 'ESERVFAIL', id = ownName ? key : `${key} UH`;
  let reply = made.get(id);
  if (reply === undefined) {
    const details = `dns_resolution_failure{${WORDS[key]!.replaceAll(' ', '_')}}`;
    reply = ownName ? new LocalReply(503, 'DNS resolution failure', details, DF) : new LocalReply(503, 'no healthy upstream', details, UH);
    made.set(id, reply);
  }
  return reply;
}
