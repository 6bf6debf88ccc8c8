// Test reporter: one line per file, every failure in full, skipped tests with their reason, a total; the time of long files. Keeps a long suite readable.
import { relative } from 'node:path';

/** Files that take longer are shown with their time. */
const LONG_MS = 5000;

export default async function* report(source) {
  const files = new Map();
  let failed = 0, passed = 0, skipped = 0;
  for await (const { type, data } of source) {
    if (type === 'test:stdout' || type === 'test:stderr') { if (process.env.WEIR_TEST_VERBOSE) yield data.message; continue; }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const file = data.file ? relative(process.cwd(), data.file) : '(no file)';
    const isFile = data.nesting === 0 && data.details?.type !== 'suite' && data.name === file;
    const of = files.get(file) ?? { passed: 0, failed: 0, ms: 0 };
    files.set(file, of);
    if (data.nesting === 0) of.ms += data.details?.duration_ms ?? 0;
    if (data.skip !== undefined && data.skip !== false) { skipped++; yield `SKIPPED ${file}: ${data.name} (${data.skip === true ? 'no reason given' : data.skip})\n`; continue; }
    if (type === 'test:pass') { if (!isFile && data.details?.type !== 'suite') { of.passed++; passed++; } continue; }
    if (data.details?.type === 'suite' || data.details?.error?.failureType === 'subtestsFailed') continue;
    of.failed++; failed++;
    const e = data.details?.error;
    yield `FAILED ${file}: ${data.name}\n    ${String(e?.cause?.stack ?? e?.cause ?? e?.message ?? e).split('\n').slice(0, 25).join('\n    ')}\n`;
  }
  for (const [file, n] of [...files].sort()) yield `${n.failed ? 'FAIL' : 'ok  '} ${file} (${n.passed}${n.failed ? `, ${n.failed} failed` : ''})${n.ms >= LONG_MS ? ` ${(n.ms / 1000).toFixed(0)} s` : ''}\n`;
  yield `${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}
