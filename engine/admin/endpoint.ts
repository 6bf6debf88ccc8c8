// What an admin endpoint is: a path, its help as Envoy prints it, whether it changes something (POST alone), and its answer. One file each.
import type { AdminSource } from './admin-source.ts';
import type { Query } from './query.ts';

/** A body is a text, or comes in pieces (each at most some tens of KiB) that are made as the client takes them. */
export interface AdminAnswer { readonly status: number; readonly type?: 'text' | 'json' | 'html' | 'binary'; readonly body: string | Uint8Array | Iterable<string>; /** Runs once the answer is out. */ readonly after?: () => void }

export interface AdminEndpoint {
  readonly path: string;
  readonly help: string;
  readonly params?: readonly (readonly [id: string, help: string])[];
  readonly changes?: true;
  answer(source: AdminSource, query: Query): AdminAnswer | Promise<AdminAnswer>;
}

export const OK: AdminAnswer = { status: 200, body: 'OK\n' };
export function text(body: string, status = 200): AdminAnswer { return { status, body }; }
/** As Envoy prints proto JSON: one space an indent. */
export function json(value: unknown, status = 200): AdminAnswer { return { status, type: 'json', body: `${JSON.stringify(value, null, 1)}\n` }; }

/** The text of /help, which also follows on an unknown path. */
export function helpText(endpoints: Iterable<AdminEndpoint>): string {
  let out = 'admin commands are:\n';
  for (const e of endpoints) {
    out += `  ${e.path}${e.changes ? ' (POST)' : ''}: ${e.help}\n`;
    for (const [id, help] of e.params ?? []) out += `      ${id}: ${help}\n`;
  }
  return out;
}
