// host:port of an authority.

/** Index of the ':' before the port; -1: no port. IPv6 literals stand in brackets. */
export function portIndex(authority: string): number {
  const colon = authority.lastIndexOf(':');
  return colon < 0 || authority.indexOf(']', colon) >= 0 ? -1 : colon;
}

export function hostOf(authority: string): string { const at = portIndex(authority); return at < 0 ? authority : authority.slice(0, at); }
/** The port, or -1. */
export function portOf(authority: string): number {
  const at = portIndex(authority);
  return at < 0 || !/^\d{1,5}$/.test(authority.slice(at + 1)) ? -1 : Number(authority.slice(at + 1));
}
