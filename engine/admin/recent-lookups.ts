// GET /stats/recentlookups and what switches it (POST).
import { OK, text, type AdminEndpoint } from './endpoint.ts';

export const recentLookups: AdminEndpoint = {
  path: '/stats/recentlookups', help: 'Show recent stat-name lookups',
  answer({ lookups }) {
    const table = lookups.enabled ? `   Count Lookup\n${lookups.entries().map(([name, count]) => `${String(count).padStart(8)} ${name}\n`).join('')}` : 'Lookup tracking is not enabled. Use /stats/recentlookups/enable to enable.\n';
    return text(`${table}\ntotal: ${lookups.total}\n`);
  },
};
export const recentLookupsClear: AdminEndpoint = { path: '/stats/recentlookups/clear', help: 'clear list of stat-name lookups and counter', changes: true, answer({ lookups }) { lookups.clear(); return OK; } };
export const recentLookupsDisable: AdminEndpoint = { path: '/stats/recentlookups/disable', help: 'disable recording of reset stat-name lookup names', changes: true, answer({ lookups }) { lookups.disable(); return OK; } };
export const recentLookupsEnable: AdminEndpoint = { path: '/stats/recentlookups/enable', help: 'enable recording of reset stat-name lookup names', changes: true, answer({ lookups }) { lookups.enable(); return OK; } };
