// What goes between the threads: shared memory handed over at start, and the few lifecycle messages. Plans and events go through rings.
import { randomBytes } from 'node:crypto';
import { CircuitTable } from '../engine/shm/circuit-table.ts';
import { Heartbeats } from '../engine/shm/heartbeats.ts';
import { HostTable } from '../engine/shm/host-table.ts';
import { KeptCounters } from '../engine/shm/kept-counters.ts';
import { RecordBook } from '../engine/shm/record-book.ts';
import { Ring } from '../engine/shm/ring.ts';
import { SharedLimits } from '../engine/shm/shared-limits.ts';
import { SharedRecords } from '../engine/shm/shared-records.ts';
import { SharedWords } from '../engine/shm/shared-words.ts';
import { HOST_COUNTERS } from '../engine/observe/stats/schemas.ts';
import { COLUMN_SLOTS } from '../engine/observe/stats/stat-column.ts';
import type { WatchdogsPlan } from '../engine/plan/watchdog-plan.ts';
import type { Flags } from './flags.ts';

/** Memory of the whole process, owned by the supervisor: it outlives every thread. */
/** `secretKey`: what secrets are sealed under; copied to each thread, never in shared memory. */
export interface ProcessMemory { readonly secretKey: Uint8Array; readonly hosts: SharedArrayBuffer; readonly circuits: SharedArrayBuffer; readonly words: SharedArrayBuffer; readonly limits: SharedArrayBuffer; readonly records: SharedArrayBuffer; /** Signs of life. */ readonly beats: SharedArrayBuffer; /** Control's totals. */ readonly counters: SharedArrayBuffer; /** Who has which record of `hosts` and `circuits`. */ readonly hostBook: SharedArrayBuffer; readonly circuitBook: SharedArrayBuffer }
/** Memory of one worker's life: a replaced worker gets its own. */
export interface WorkerMemory { readonly column: SharedArrayBuffer; readonly config: SharedArrayBuffer; readonly events: SharedArrayBuffer }

export interface WorkerData { readonly role: 'worker'; readonly id: number; readonly flags: Flags; readonly process: ProcessMemory; readonly memory: WorkerMemory }
export interface ControlData { readonly role: 'control'; readonly flags: Flags; readonly process: ProcessMemory; readonly startMs: number; readonly restarts: number }

export type ToControl = { readonly kind: 'worker-up'; readonly id: number; readonly memory: WorkerMemory; readonly restarts: number } | { readonly kind: 'worker-down'; readonly id: number } | { readonly kind: 'signal'; readonly name: string } | { readonly kind: 'silence'; readonly thread: string; readonly mega: boolean };
/** Rings to a new life of control: a ring serves one writer's and one reader's life, so no half-written record outlives either. */
export type ToWorker = { readonly kind: 'rings'; readonly config: SharedArrayBuffer; readonly events: SharedArrayBuffer };
export type ToSupervisor = { readonly kind: 'exit'; readonly code: number } | { readonly kind: 'configured' } | { readonly kind: 'watch'; readonly watchdogs: WatchdogsPlan };

const RING_BYTES = 1 << 20;
export const HOST_CAPACITY = 1 << 18;
export const CIRCUIT_CAPACITY = 1 << 16;
export const LIMIT_CAPACITY = 1 << 15;
export const RECORD_CAPACITY = 256;

export function processMemory(workers: number): ProcessMemory {
  return { secretKey: randomBytes(32), hosts: new SharedArrayBuffer(HostTable.bytes(HOST_CAPACITY)), circuits: new SharedArrayBuffer(CircuitTable.bytes(CIRCUIT_CAPACITY)), words: new SharedArrayBuffer(SharedWords.bytes), limits: new SharedArrayBuffer(SharedLimits.bytes(LIMIT_CAPACITY)), records: new SharedArrayBuffer(SharedRecords.bytes(RECORD_CAPACITY)), beats: new SharedArrayBuffer(Heartbeats.bytes(workers)), counters: new SharedArrayBuffer(KeptCounters.bytes), hostBook: new SharedArrayBuffer(RecordBook.bytes(HOST_CAPACITY, HOST_COUNTERS)), circuitBook: new SharedArrayBuffer(RecordBook.bytes(CIRCUIT_CAPACITY, 0)) };
}
export function workerMemory(): WorkerMemory {
  return { column: new SharedArrayBuffer(COLUMN_SLOTS * 8), ...ringMemory() };
}
export function ringMemory(): { readonly config: SharedArrayBuffer; readonly events: SharedArrayBuffer } {
  return { config: new SharedArrayBuffer(Ring.bytes(RING_BYTES)), events: new SharedArrayBuffer(Ring.bytes(RING_BYTES)) };
}
export function tablesOf(m: ProcessMemory): { hosts: HostTable; circuits: CircuitTable; words: SharedWords; limits: SharedLimits; records: SharedRecords } { return { hosts: new HostTable(m.hosts), circuits: new CircuitTable(m.circuits), words: new SharedWords(m.words), limits: new SharedLimits(m.limits), records: new SharedRecords(m.records) }; }
/** Control's own view of who has which record. */
export function booksOf(m: ProcessMemory): { hosts: RecordBook; circuits: RecordBook } { return { hosts: new RecordBook(m.hostBook, HOST_COUNTERS), circuits: new RecordBook(m.circuitBook, 0) }; }
