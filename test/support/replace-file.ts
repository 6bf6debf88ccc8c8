// A file as careful writers replace it: written beside, then renamed over, so that whoever watches it reads the old text or the new one and never half of either.
import { renameSync, writeFileSync } from 'node:fs';

export function replaceFile(path: string, text: string | Uint8Array): void { writeFileSync(`${path}.new`, text); renameSync(`${path}.new`, path); }
