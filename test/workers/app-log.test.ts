// The application log: Envoy's line format, patterns, levels, files.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { AppLog } from '../../workers/app-log.ts';
import { compileLogFormat, DEFAULT_LOG_FORMAT } from '../../workers/log-format.ts';

const line = { at: new Date(2026, 10, 3, 15, 4, 5, 67), thread: '42', level: 'warning', component: 'main', file: 'worker', line: '1', message: 'a "b"\nc' };

test('the default format is Envoy\'s', () => assert.equal(compileLogFormat(DEFAULT_LOG_FORMAT, false)({ ...line, message: 'hello' }), '[2026-11-03 15:04:05.067][42][warning][main] [worker:1] hello\n'));
test('patterns: dates, padding, JSON, percent signs, unknown flags as they stand', () => {
  const f = (p: string): string => compileLogFormat(p, false)(line).slice(0, -1);
  assert.equal(f('%a %A %b %d %I:%M:%S %p %C %D'), 'Tue Tuesday Nov 03 03:04:05 PM 26 11/03/26');
  assert.equal(f('[%8n][%-8n][%=8n][%L]'), '[    main][main    ][  main  ][W]');
  assert.equal(f('{"m":"%j"}'), '{"m":"a \\"b\\"\\nc"}');
  assert.equal(f('%_'), 'a \\"b\\"\\nc');
  assert.equal(f('100%% %q %'), '100% %q %');
});
test('--log-format-escaped keeps a message on one line', () => assert.equal(compileLogFormat('%v', true)({ ...line, message: 'x\r\ny\u0001' }), 'x\\r\\ny\\001\n'));

test('levels by component hold, change while running, and unknown names are refused', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-log-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'log');
  const log = new AppLog({ logLevel: 'warning', componentLogLevel: 'http:debug,upstream:off', logPath: path, logFormat: '%l %n %v', logFormatEscaped: false }, 'worker', 0);
  log.log('http', 'debug', '1');
  log.log('main', 'info', '2');
  log.log('upstream', 'critical', '3');
  assert.ok(log.set('', 'info'));
  log.log('main', 'info', '4');
  log.log('http', 'debug', '5');
  assert.equal(log.set('nothing', 'info'), false);
  assert.equal(log.set('http', 'loud'), false);
  assert.equal(log.level('http'), 'info');
  assert.equal(readFileSync(path, 'utf8'), 'debug http 1\ninfo main 4\n');
  renameSync(path, `${path}.1`);
  log.reopen();
  log.log('main', 'error', '6');
  assert.equal(readFileSync(path, 'utf8'), 'error main 6\n');
});

test('another pattern holds from the next line on', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'weir-log-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'log'), log = new AppLog({ logLevel: 'info', componentLogLevel: '', logPath: path, logFormat: '%v', logFormatEscaped: false }, 'worker', 0);
  log.log('main', 'info', 'a');
  log.setFormat('{"m":"%j"}');
  log.log('main', 'info', 'b"');
  assert.equal(readFileSync(path, 'utf8'), 'a\n{"m":"b\\""}\n');
});
