// GET /init_dump: what initialization still waits for.
import { json, type AdminEndpoint } from './endpoint.ts';

export const initDump: AdminEndpoint = {
  path: '/init_dump', help: 'dump current Envoy init manager information (experimental)',
  params: [['mask', 'The desired component to dump unready targets. The mask is parsed as a Protobuf::FieldMask. For example, get the unready targets of all listeners with /init_dump?mask=listener`']],
  answer(source) { const dumps = source.unready().map((u) => ({ name: u.name, target_names: u.targets })); return json(dumps.length === 0 ? {} : { unready_targets_dumps: dumps }); },
};
