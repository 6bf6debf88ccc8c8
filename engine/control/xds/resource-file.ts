// A file of dynamic resources: a DiscoveryResponse (YAML, JSON, text or binary protobuf, by its name), its resources judged one by one.
import { ConfigNode } from '../../proto/config-node.ts';
import { ConfigTree } from '../../proto/config-tree.ts';
import { sourceOf, type ConfigSource } from '../../proto/config-source.ts';
import { messageType } from '../../proto/registry.ts';
import { suggestion } from '../../proto/suggest.ts';
import { SyntaxFault } from '../../proto/source-text.ts';

const RESPONSE = 'envoy.service.discovery.v3.DiscoveryResponse', RESOURCE = 'envoy.service.discovery.v3.Resource';

/** A file that cannot be read at all. */
export class UnreadableResources extends Error {}

/** `mark`: the tree's count of reports before the message was made. */
export interface FoundResource { readonly message: ConfigNode; readonly mark: number }

export class ResourceFile {
  readonly tree: ConfigTree;
  readonly version: string;
  private readonly list: readonly unknown[];
  private readonly type: string;

  /** Throws UnreadableResources for what has no resources in it. `type`: the message that they have to be. */
  constructor(path: string, bytes: Uint8Array, type: string, unknown: 'warn' | 'reject' | 'ignore') {
    const source: ConfigSource = sourceOf(path, bytes, RESPONSE);
    this.tree = new ConfigTree([source]);
    this.tree.unknown = { warn: 'warning', reject: 'error', ignore: 'ignore' }[unknown] as 'warning' | 'error' | 'ignore';
    this.type = type;
    let data: unknown;
    try { data = source.data(); } catch (e) { if (e instanceof SyntaxFault) throw new UnreadableResources(`${path}${e.line > 0 ? `:${e.line}:${e.column}` : ''}: ${e.message}`); throw e; }
    if (data !== null && (typeof data !== 'object' || Array.isArray(data))) throw new UnreadableResources(`${path}: expected a mapping`);
    const { resources, ...rest } = (data ?? {}) as Record<string, unknown>, root = ConfigNode.root(this.tree, messageType(RESPONSE)!, rest, [], '');
    this.version = root.str('version_info');
    for (const f of ['canary', 'nonce', 'type_url', 'control_plane', 'resource_errors']) if (root.has(f)) root.json(f);
    this.list = Array.isArray(resources) ? (resources as unknown[]) : resources === undefined || resources === null ? [] : [resources];
  }

  /** Visits the resources, each made when its turn comes and let go after it. */
  each(visit: (r: FoundResource, i: number) => void): void {
    this.list.forEach((raw, i) => {
      const mark = this.tree.count, message = this.message(raw, ['resources', i], `resources[${i}]`);
      if (message !== null) visit({ message, mark }, i);
    });
  }
  get count(): number { return this.list.length; }

  private message(raw: unknown, keys: readonly (string | number)[], path: string): ConfigNode | null {
    const data = raw !== null && typeof raw === 'object' && !Array.isArray(raw) ? (raw as Record<string, unknown>) : {}, url = data['@type'];
    const { '@type': _, ...rest } = data;
    if (typeof url !== 'string') { this.tree.report('error', 'a resource needs "@type"', keys, path); return null; }
    const name = url.slice(url.lastIndexOf('/') + 1);
    if (name === RESOURCE) return this.message(rest['resource'], [...keys, 'resource'], `${path}.resource`);
    if (name !== this.type) { this.tree.report('error', `expected a resource of ${this.type}, not '${name}'${suggestion(name, [this.type])}`, [...keys, '@type'], path); return null; }
    return ConfigNode.root(this.tree, messageType(name)!, rest, keys, path);
  }
}
