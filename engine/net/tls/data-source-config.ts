// One DataSource of a secret. It is read anew each time, as its file may change; what is wrong with it is thrown as SecretFault.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CompileContext, ConfigMessage } from '../../proto/config-message.ts';

export class SecretFault extends Error {}

/** One DataSource: reads it anew each time. */
export interface Part { readonly label: string; readonly file: string; /** What stands for it in the secret's key. */ readonly id: string; read(): Buffer }

export function part(m: ConfigMessage | undefined, ctx: CompileContext): Part | null {
  if (m === undefined) return null;
  const watched = m.msg('watched_directory')?.str('path');
  if (m.oneof('specifier') === 'filename') {
    const file = m.str('filename');
    return { label: file, file, id: `file:${file}:${watched ?? ''}`, read: () => { try { return readFileSync(file); } catch { throw new SecretFault(`Invalid path: ${file}`); } } };
  }
  const bytes = ctx.dataSource(m);
  if (bytes === undefined) return null;
  const inline = Buffer.from(bytes);
  return { label: '<inline>', file: '', id: `inline:${createHash('sha256').update(inline).digest('hex')}`, read: () => inline };
}
