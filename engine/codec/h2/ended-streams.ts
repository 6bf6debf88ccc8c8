// The streams of a connection that ended lately, so that frames which crossed their end are told from frames that break the rules (RFC 9113 section 5.1, "closed").
// A ring: what is forgotten is 'unknown'.

const REMEMBERED = 128;
const NONE: number[] = [];

export class EndedStreams {
  /** Id; negative where it was us who reset it. */
  private ring = NONE;
  private at = 0;

  add(id: number, resetByUs: boolean): void {
    const entry = resetByUs ? -id : id;
    if (this.ring === NONE) { this.ring = [entry]; return; }
    if (this.ring.length < REMEMBERED) { this.ring.push(entry); return; }
    this.ring[this.at] = entry;
    this.at = (this.at + 1) % REMEMBERED;
  }

  /** 'ours': reset by us, late frames are to be expected; 'theirs': ended otherwise. */
  how(id: number): 'ours' | 'theirs' | 'unknown' {
    const { ring } = this;
    for (let i = 0; i < ring.length; i++) { if (ring[i] === -id) return 'ours'; if (ring[i] === id) return 'theirs'; }
    return 'unknown';
  }
}
