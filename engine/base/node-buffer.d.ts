// Methods that Node's Buffer has and its type package leaves out; the fast path between bytes and byte strings.
interface Buffer {
  base64Slice(start?: number, end?: number): string;
  latin1Slice(start?: number, end?: number): string;
  utf8Slice(start?: number, end?: number): string;
  latin1Write(text: string, offset?: number, length?: number): number;
}
