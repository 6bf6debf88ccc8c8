// GET /config_dump: the configuration as loaded, secrets redacted; resource, mask and name_regex take parts of it.
import { dumpConfig, type DumpSection } from '../control/dump/config-dump.ts';
import { json, type AdminEndpoint } from './endpoint.ts';

export type { DumpSection };

export const configDump: AdminEndpoint = {
  path: '/config_dump', help: 'dump current Envoy configs',
  params: [
    ['resource', 'The resource to dump'],
    ['mask', 'The mask to apply. When both resource and mask are specified, the mask is applied to every element in the desired repeated field so that only a subset of fields are returned. The mask is parsed as a Protobuf::FieldMask'],
    ['name_regex', 'Dump only the currently loaded configurations whose names match the specified regex. Can be used with both resource and mask query parameters.'],
    ['include_eds', 'Dump currently loaded configuration including EDS. See the response definition for more information'],
  ],
  answer(source, query) {
    const d = dumpConfig(source.configDump(), { resource: query.get('resource') ?? '', mask: query.get('mask') ?? '', nameRegex: query.get('name_regex') ?? '', includeEds: query.has('include_eds') });
    return 'error' in d ? { status: d.status, body: d.error } : json(d.configs.length === 0 ? {} : d);
  },
};
