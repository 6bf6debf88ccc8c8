// client_side_weighted_round_robin, control's side: once an update period the weights that hosts reported to the workers become the weights that all balance by. A host that
// has begun to report only just now (blackout) or has fallen silent (expiration) has the median of the others'. Envoy: OrcaWeightManager.
import type { OrcaPlan } from '../../plan/cluster-plan.ts';
import type { HostTable } from '../../shm/host-table.ts';

/** Weights of the hosts of one priority, written into the table; true: any of them is another than before. */
export function updateWeights(hosts: readonly number[], plan: OrcaPlan, table: HostTable, wallMs: number): boolean {
  const valid: number[] = [], silent: number[] = [];
  let changed = false;
  const set = (host: number, weight: number): void => { if (table.weight(host) !== weight) { table.setWeight(host, weight); changed = true; } };
  for (const host of hosts) {
    const weight = table.reportedWeight(host, wallMs, plan.blackoutMs, plan.expirationMs);
    if (weight === 0) { silent.push(host); continue; }
    valid.push(weight);
    set(host, weight);
  }
  if (silent.length === 0) return changed;
  const usual = median(valid);
  for (const host of silent) set(host, usual);
  return changed;
}

/** Of an even number the two in the middle, halved; 1 of none. */
function median(weights: number[]): number {
  if (weights.length === 0) return 1;
  weights.sort((a, b) => a - b);
  const half = weights.length >> 1;
  return weights.length % 2 === 1 ? weights[half]! : Math.floor((weights[half - 1]! + weights[half]!) / 2);
}
