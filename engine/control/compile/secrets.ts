// Secrets that a configuration holds or points to, collected while it is compiled. What is alike has one key: a thousand listeners with one pair of files share it.
// A secret by SDS from a file is a source like any other: its file is read, the resource of its name compiled, and what that names is watched too.
import { readFileSync, statSync } from 'node:fs';
import type { CompileContext, ConfigMessage, SecretDiscovery, SecretSource, StaplePolicyName } from '../../proto/config-message.ts';
import { sourceOf } from '../../proto/config-source.ts';
import { ConfigNode } from '../../proto/config-node.ts';
import { ConfigTree, formatReport } from '../../proto/config-tree.ts';
import { UnreadableResources } from '../xds/resource-file.ts';
import { messageType } from '../../proto/registry.ts';
import { SyntaxFault } from '../../proto/source-text.ts';
import { suggestion } from '../../proto/suggest.ts';

const RESPONSE = 'envoy.service.discovery.v3.DiscoveryResponse', SECRET = 'envoy.extensions.transport_sockets.tls.v3.Secret';

/** Compiles one envoy Secret; registers through the context and gives the key. */
export type SecretCompiler = (m: ConfigMessage, ctx: CompileContext) => string;

export class CompileSecrets {
  /** By key. */
  readonly sources = new Map<string, SecretSource>();
  /** Keys of the bootstrap's own secrets by name. */
  private readonly statics: Map<string, { readonly key: string; readonly kind: SecretSource['kind'] }>;
  private readonly compile: SecretCompiler;
  /** `of`: the bootstrap's, whose names are known here too. */
  constructor(compile: SecretCompiler, of?: CompileSecrets) { this.compile = compile; this.statics = of?.statics ?? new Map<string, { readonly key: string; readonly kind: SecretSource['kind'] }>(); }

  /** '' where it loads now. */
  add(source: SecretSource): string {
    if (this.sources.has(source.key)) return '';
    this.sources.set(source.key, source);
    try { source.load(); return ''; } catch (e) { return (e as Error).message; }
  }

  /** A server has the certificate: why it may not; '' where it may, and for one by discovery. */
  served(key: string, policy: StaplePolicyName): string {
    const source = this.sources.get(key);
    if (source === undefined) return '';
    (source.policies ??= new Set()).add(policy);
    return source.discovery === undefined ? source.problem?.(policy) ?? '' : '';
  }

  addStatic(m: ConfigMessage, ctx: CompileContext): void {
    const name = m.str('name'), key = this.compile(m, ctx), kind = this.sources.get(key)?.kind;
    if (kind === undefined) return;
    const file = this.sources.get(key)!;
    if (file.name === '') this.sources.set(key, { ...file, name });
    if (this.statics.has(name)) m.error('name', `Duplicate static ${name} secret name`);
    this.statics.set(name, { key, kind });
  }

  /** envoy SdsSecretConfig; gives the secret's key. */
  sds(kind: SecretSource['kind'], m: ConfigMessage, ctx: CompileContext): string {
    const name = m.str('name'), from = m.msg('sds_config');
    if (from === undefined) {
      const known = this.statics.get(name);
      if (known === undefined || known.kind !== kind) { m.error('name', `Unknown static ${kind === 'validation' ? 'certificate validation context' : kind === 'tickets' ? 'session ticket keys' : 'secret'}: ${name}${suggestion(name, [...this.statics.keys()])}`); return ''; }
      return known.key;
    }
    for (const f of ['authorities', 'api_config_source', 'ads', 'self']) from.unsupported(f);
    from.enum('resource_api_version');
    const fetchTimeoutMs = from.ms('initial_fetch_timeout', 15_000);
    const of = from.msg('path_config_source'), path = of?.str('path') ?? from.str('path'), watched = of?.msg('watched_directory')?.str('path');
    of?.noop('poll_interval', 'changes are noticed');
    if (path === '') return '';
    const key = `sds:${kind}:${name}:${path}:${watched ?? ''}`;
    if (this.sources.has(key)) return key;
    const files = [path, ...(watched === undefined ? [] : [watched])];
    const discovery: SecretDiscovery = { files, fetchTimeoutMs, version: '' };
    let last: SecretSource | null = null;
    const source: SecretSource = {
      key, kind, name, files, paths: {}, discovery, problem: (policy) => last?.problem?.(policy) ?? '',
      load: () => { const inner = last = this.read(path, name, kind, ctx, discovery); source.files = [...files, ...inner.files]; source.paths = inner.paths; return inner.load(); },
    };
    const fault = this.add(source);
    if (fault.startsWith('paths must')) m.error('sds_config', fault); else if (fault !== '') m.warn('sds_config', `secret '${name}' is not there yet: ${fault}`);
    return key;
  }

  /** The source that a file's resource stands for. Throws with what is wrong. */
  private read(path: string, name: string, kind: string, ctx: CompileContext, discovery: SecretDiscovery): SecretSource {
    let bytes: Uint8Array;
    // A device has no end.
    try { bytes = statSync(path).isCharacterDevice() ? new Uint8Array(0) : readFileSync(path); } catch { throw new Error(`paths must refer to an existing path in the system: '${path}' does not exist`); }
    const text = sourceOf(path, bytes, RESPONSE), tree = new ConfigTree([text]);
    let data: unknown;
    try { data = text.data(); } catch (e) { if (e instanceof SyntaxFault) throw new UnreadableResources(`${path}${e.line > 0 ? `:${e.line}:${e.column}` : ''}: ${e.message}`); throw e; }
    const root = ConfigNode.root(tree, messageType(RESPONSE)!, data ?? {}, [], '');
    const inner = new CompileSecrets(this.compile);
    let found = '';
    const version = root.str('version_info');
    for (const r of root.list('resources')) {
      const m = r.typeName === 'envoy.service.discovery.v3.Resource' ? r.any('resource') : r;
      if (m?.typeName !== SECRET || m.str('name') !== name) continue;
      found = this.compile(m, { ...ctx, secret: (s) => inner.add(s), sdsSecret: () => '' });
      (m as ConfigNode).refuseUnread();
    }
    const bad = tree.reports().find((r) => r.severity === 'error');
    if (bad !== undefined) throw new Error(formatReport(bad));
    const source = inner.sources.get(found);
    if (source === undefined || source.kind !== kind) throw new Error(`${path} has no ${kind} secret '${name}'`);
    discovery.version = version;
    return source;
  }
}
