// The streams of a connection that ended lately, so that frames which crossed their end are told from frames that break the rules (RFC 9113 section 5.1, "closed").
// A ring: what is forgotten is 'unknown'.

const REMEMBERED = 128;

export class EndedStreams {
  /** Id; negative where it was us who reset it. */
  private readonly ring = new Int32Array(REMEMBERED);
  private at = 0;

  add(id: number, resetByUs: boolean): void { this.ring[this.at++ % REMEMBERED] = resetByUs ? -id : id; }

  /** 'ours': reset by us, late frames are to be expected; 'theirs': ended otherwise. */
  how(id: number): 'ours' | 'theirs' | 'unknown' {
    const { ring } = this;
    for (let i = 0; i < REMEMBERED; i++) { if (ring[i] === -id) return 'ours'; if (ring[i] === id) return 'theirs'; }
    return 'unknown';
  }
}
