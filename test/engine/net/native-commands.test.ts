// The native transport trusts nothing that comes from JavaScript: random commands, slots, offsets, lengths and arguments, in and outside of turns, with live sockets.
// It must neither crash nor hang, and work afterwards. scripts/sanitize-native.sh runs this for longer on a build with ASAN and UBSAN.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import test from 'node:test';
import { SeededRandom } from '../../../engine/loop/random.ts';

type Any = (...args: unknown[]) => unknown;
let addon: Record<string, Any> | null = null;
try { addon = createRequire(import.meta.url)('../../../build/transport.node') as Record<string, Any>; } catch { /* not built here */ }
const seconds = Number(process.env['WEIR_FUZZ_SECONDS'] ?? 2);
const RECORDS = 1024;

test(`random commands for ${seconds} s`, { skip: addon === null && 'the addon is not built here (no C compiler)' }, async (t) => {
  const a = addon!, seed = Number(process.env['WEIR_FUZZ_SEED'] ?? Date.now() & 0xffffff), random = new SeededRandom(seed);
  t.diagnostic(`seed ${seed}`);
  const n = (below: number): number => random.u32() % below, one = <T>(...list: T[]): T => list[n(list.length)]!;
  const receive = Buffer.allocUnsafeSlow(1 << 18), send = Buffer.allocUnsafeSlow(1 << 18), events = new Int32Array(4 + 4 * RECORDS), commands = new Int32Array(4 + 4 * RECORDS);
  let turns = 0;
  const live = new Map<number, number>();

  const record = (k: number): void => {
    const known = [...live.keys()], slot = n(3) > 0 && known.length > 0 ? known[n(known.length)]! : one(n(300), -1, 1 << 22, 0x7fffffff, -0x80000000);
    const generation = n(4) > 0 ? live.get(slot) ?? n(4) : n(1 << 24);
    commands[k] = slot;
    commands[k + 1] = (generation << 8) | one(1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 0, 9, 255);
    commands[k + 2] = one(0, n(1 << 18), (1 << 18) - 1, 1 << 18, -1, 0x7fffffff, -0x80000000);
    commands[k + 3] = one(0, 1, n(4096), n(1 << 18), 1 << 18, -1, 0x7fffffff, -0x80000000);
  };
  const fill = (): void => {
    const count = one(n(8), n(64), n(8));
    for (let i = 0; i < count; i++) record(4 + 4 * i);
    commands[0] = n(50) === 0 ? one(-1, RECORDS, RECORDS + 1, 0x7fffffff, -0x80000000) : count;
  };

  const handle = a['create']!(receive, send, events, commands, () => {
    turns++;
    assert.ok(events[0]! >= 0 && events[0]! <= RECORDS);
    for (let i = 0; i < events[0]!; i++) {
      const k = 4 + 4 * i, type = events[k + 1]! & 255;
      assert.ok(type >= 1 && type <= 7);
      if (type === 1 || type === 2) live.set(events[k]!, events[k + 1]! >>> 8);
      if (type === 3) { assert.ok(events[k + 2]! >= 0 && events[k + 3]! > 0 && events[k + 2]! + events[k + 3]! <= receive.length); }
      if (type === 5) live.delete(events[k]!);
    }
    if (live.size > 200) live.clear();
    fill();
    if (n(3) === 0) call();
  });
  // A second transport shares the listener: connections are handed over from one to the other, and its listener comes and goes.
  const events2 = new Int32Array(4 + 4 * RECORDS), commands2 = new Int32Array(4 + 4 * RECORDS), other = a['create']!(Buffer.allocUnsafeSlow(1 << 18), Buffer.allocUnsafeSlow(1 << 18), events2, commands2, () => {
    for (let i = 0; i < events2[0]!; i++) if ((events2[5 + 4 * i]! & 255) === 1 && n(3) > 0) { handed++; const k = 4 + 4 * commands2[0]!++; commands2[k] = events2[4 + 4 * i]!; commands2[k + 1] = (events2[5 + 4 * i]! & ~255) | one(3, 4, 5, 8); }
  });
  let handed = 0, shared = a['share']!(other, 'fuzz') as number;
  assert.ok(shared >= 0);
  const port = Number(String(a['name']!(handle, a['listen']!(handle, '127.0.0.1', 0, 511, 0, 0, 0, [], 'fuzz'), false)).split(' ')[1]);
  assert.ok(port > 0);

  const junk = (): unknown => one<unknown>(0, 1, -1, n(300), NaN, Infinity, -0x80000000, 2 ** 40, '', '127.0.0.1', '::1', '@x', 'x'.repeat(300), undefined, null, {}, [], [1, 2, 3], [1, 'x', {}], true, new Uint8Array(3), new Int32Array(0));
  const call = (): void => {
    const some = live.size > 0 ? [...live.keys()][n(live.size)]! : 0, slot = (): unknown => (n(2) ? some : junk());
    try {
      switch (n(12)) {
        case 0: a['setHigh']!(handle, slot(), junk()); break;
        case 1: a['pending']!(handle, slot()); a['live']!(handle); break;
        case 2: a['setOption']!(handle, slot(), junk(), junk(), junk()); break;
        case 3: a['name']!(handle, slot(), junk()); a['generation']!(handle, slot()); break;
        case 4: a['pauseListener']!(handle, one(junk(), some), n(2) === 0); break;
        case 5: { const made = a['connect']!(handle, '127.0.0.1', port, '', 0, one<unknown>([], [6, 1, 1], junk())); if (typeof made === 'number' && made >= 0) live.set(made, Number(a['generation']!(handle, made))); break; }
        case 6: a['connect']!(handle, one(junk(), '127.0.0.1'), one<unknown>(-1, port, 'x'), one(junk(), '127.0.0.1'), junk(), junk()); break;
        case 7: { const l = a['listen']!(handle, one<unknown>('127.0.0.1', `@weir-fuzz-${process.pid}-${n(5)}`, junk()), one<unknown>(0, -1), junk(), n(4), 0, junk(), one<unknown>([], junk()), one<unknown>('', 'fuzz', junk())); if (typeof l === 'number' && l >= 0) a['closeListener']!(handle, l); break; }
        case 9: a['originalDestination']!(handle, slot()); a['share']!(handle, one<unknown>(junk(), 'fuzz')); break;
        case 10: if (n(3) === 0) { a['closeListener']!(other, shared); shared = a['share']!(other, 'fuzz') as number; } break;
        case 8: fill(); a['flush']!(handle); break;
        default: a['wake']!(handle, one(0, 1, -1, junk())); a['name']!(one<unknown>(junk(), {}), 0, false);
      }
    } catch { /* wrong arguments throw */ }
  };

  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    for (let i = 0; i < 8; i++) {
      const s = connect(port, '127.0.0.1');
      s.on('error', () => {});
      if (n(2)) s.write(Buffer.alloc(one(1, 100, 70_000, 300_000)));
      if (n(3) === 0) s.resume();
      // Node 24 never finishes a reset of a socket whose shutdown is under way, and then does not exit.
      const ended = n(4) === 0;
      if (ended) s.end();
      setTimeout(() => (ended || n(2) ? s.destroy() : s.resetAndDestroy()), n(30));
    }
    for (let i = 0; i < 20; i++) call();
    a['wake']!(handle, 0);
    await new Promise((r) => setTimeout(r, 2));
  }
  t.diagnostic(`${turns} turns`);
  t.diagnostic(`${handed} handed over`);
  assert.ok(turns > 50);
  assert.ok(handed > 0);
  // One ends while the other still hands connections over to it.
  for (let i = 0; i < 20; i++) connect(port, '127.0.0.1').on('error', () => {});
  await new Promise((r) => setTimeout(r, 5));
  a['close']!(other);
  await new Promise((r) => setTimeout(r, 20));
  a['close']!(handle);
  assert.throws(() => a['wake']!(handle, 0), /closed/);
  assert.throws(() => a['create']!(events, commands, receive, send, () => {}), /bad slabs/);
});
