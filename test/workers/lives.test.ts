// A thread that keeps dying is started ever more seldom; one that is silent is counted, and given up where that is configured.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Heartbeats } from '../../engine/shm/heartbeats.ts';
import { GuardDog } from '../../workers/guard-dog.ts';
import { Lives } from '../../workers/supervisor.ts';

test('pauses double up to ten seconds while a thread dies young, and begin anew after it has lived', () => {
  const lives = new Lives(), pauses: number[] = [];
  let now = 0;
  for (let i = 0; i < 10; i++) { lives.started(now); now += 50; pauses.push(lives.died(now)); now += pauses.at(-1)!; }
  assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  lives.started(now);
  assert.equal(lives.died(now + 30_001), 100);
  assert.equal(lives.restarts, 11);
});

/** Three threads of which `silent` say nothing, looked at every 100 ms. */
class Kennel {
  readonly beats = new Heartbeats(new SharedArrayBuffer(Heartbeats.bytes(2)));
  readonly said: string[] = [];
  silent: readonly number[] = [];
  private nowMs = 5000;
  private readonly dog: GuardDog;
  constructor(killMs: number, multikillMs: number, together = 0, share = 0) {
    this.dog = new GuardDog({ missMs: 200, megamissMs: 1000, killMs, killJitterMs: 400, multikillMs, together }, [0, 1, 2], share, {
      seen: (t) => this.beats.seen(t), missed: (t, mega) => { this.said.push(`${mega ? 'mega ' : ''}${t}`); }, kill: (t) => { this.said.push(`kill ${t}`); }, multikill: (all) => { this.said.push(`all ${all.join()}`); },
    });
  }
  run(ms: number): void { for (let i = 0; i < ms; i += 100) { for (const t of [0, 1, 2]) if (!this.silent.includes(t)) this.beats.beat(t); this.dog.look(this.nowMs += 100); } }
  took(): string[] { return this.said.splice(0); }
}

test('a silent thread is counted once until it is heard again, and not before its first sign of life', () => {
  const k = new Kennel(0, 0);
  k.silent = [0, 1, 2];
  k.run(3000);
  assert.deepEqual(k.took(), []);
  k.silent = [];
  k.run(1000);
  k.silent = [1];
  k.run(300);
  assert.deepEqual(k.took(), ['1']);
  k.run(5000);
  assert.deepEqual(k.took(), ['mega 1']);
  k.silent = [];
  k.run(100);
  k.silent = [1];
  k.run(300);
  assert.deepEqual(k.took(), ['1']);
});

test('a thread is given up after kill_timeout; the process is where enough are stuck at once', () => {
  const alone = new Kennel(500, 0);
  alone.run(100); alone.silent = [2]; alone.run(2000);
  assert.deepEqual(alone.took().filter((x) => x.startsWith('kill')), ['kill 2'], 'once');
  alone.beats.begin(2); alone.run(2000); // its place is taken by one that has not begun
  assert.deepEqual(alone.took(), []);
  const later = new Kennel(500, 0, 0, 0.5);
  later.run(100); later.silent = [2]; later.run(700);
  assert.deepEqual(later.took().filter((x) => x.startsWith('kill')), [], 'half of the jitter is 200 ms');
  later.run(200);
  assert.deepEqual(later.took().filter((x) => x.startsWith('kill')), ['kill 2']);
  const two = new Kennel(0, 500, 100);
  two.run(100); two.silent = [0, 1]; two.run(1000);
  assert.deepEqual(two.took().filter((x) => x.startsWith('all')), []);
  two.silent = [0, 1, 2]; two.run(600);
  assert.deepEqual(new Set(two.took().filter((x) => x.startsWith('all'))), new Set(['all 0,1,2']));
  const few = new Kennel(0, 500);
  few.run(100); few.silent = [0, 1]; few.run(600);
  assert.deepEqual(few.took().filter((x) => x.startsWith('all')), ['all 0,1'], 'two are enough where no share is set');
});

test('a count of signs of life that comes around is never 0, which stands for none yet', () => {
  const memory = new SharedArrayBuffer(Heartbeats.bytes(0)), beats = new Heartbeats(memory);
  new Int32Array(memory)[0] = -2;
  const seen = [0, 1, 2].map(() => { beats.beat(0); return beats.seen(0); });
  assert.deepEqual(seen, [-1, 1, 2]);
});
