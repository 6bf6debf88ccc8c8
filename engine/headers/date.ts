// The date header (RFC 9110 section 5.6.7), made once a second.

export class DateHeader {
  private second = -1;
  private text = '';
  at(wallMs: number): string {
    const second = Math.floor(wallMs / 1000);
    if (second !== this.second) { this.second = second; this.text = new Date(second * 1000).toUTCString(); }
    return this.text;
  }
}
