// GET /runtime: every key with its value in each layer; POST /runtime_modify: values of the admin layer.
import { json, OK, text, type AdminEndpoint } from './endpoint.ts';

export const runtime: AdminEndpoint = {
  path: '/runtime', help: 'print runtime values',
  answer(source) {
    const table = source.runtime();
    return json({ layers: table.layers, entries: Object.fromEntries([...table.entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, values]) => [key, { layer_values: values, final_value: values.findLast((v) => v !== '') ?? '' }])) });
  },
};

export const runtimeModify: AdminEndpoint = {
  path: '/runtime_modify', changes: true,
  help: 'Adds or modifies runtime values as passed in query parameters. To delete a previously added key, use an empty string as the value. Note that deletion only applies to overrides added via this endpoint; values loaded from disk can be modified via override but not deleted. E.g. ?key1=value1&key2=value2...',
  answer(source, query) {
    if (query.entries.length === 0) return text('usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n       or send the parameters as form values\nuse an empty value to remove a previously added override', 400);
    return source.modifyRuntime(query.entries) ? OK : text('No admin layer specified', 503);
  },
};
