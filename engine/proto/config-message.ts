// How a room's config.ts reads protobuf configuration: a typed view over the JSON form of a message, by Envoy's own (snake_case) field names, which knows where
// every value stands in its file and remembers which fields were read. Any/typed_config/TypedStruct are unpacked on the way. What is set in a file but was read
// by nobody is refused after the compile ("not supported"), so nothing is ever parsed and ignored: reading a field is the claim to implement it.
//
// Errors do not throw: they are reported and a harmless default is returned, so that one run finds all faults.

/** Where something stands. `line` and `column` count from 1; 0 where the source has no text (binary protobuf, xDS). */
export interface Place { readonly file: string; readonly line: number; readonly column: number; /** 'static_resources.listeners[0].filter_chains[0]…' */ readonly path: string }

export interface ConfigMessage {
  /** Full message name: 'envoy.config.listener.v3.Listener'. */
  readonly typeName: string;
  /** Field path from the root. */
  readonly path: string;
  /** Whether the field is set (for messages, wrappers, lists with an entry, optional scalars). Counts as a read of the field, not of what is inside. */
  has(field: string): boolean;
  /** Whether no other field is set than these, and nothing of it was reported: a compiler may then take what it made of the last such message. Reads nothing. */
  only(fields: readonly string[]): boolean;
  /** Name of the member of a oneof that is set, or ''. */
  oneof(name: string): string;
  // Scalars: the field's value or the proto default. Wrapper types (UInt32Value…) give their value or `absent`.
  str(field: string, absent?: string): string;
  num(field: string, absent?: number): number;
  bool(field: string, absent?: boolean): boolean;
  /** Enum value's name, e.g. 'ROUND_ROBIN'; the zero value's name when absent. */
  enum(field: string): string;
  /** google.protobuf.Duration in milliseconds (fractions kept); `absent` (default -1) when not set. */
  ms(field: string, absent?: number): number;
  /** bytes field, or undefined. */
  bytes(field: string): Uint8Array | undefined;
  /** envoy.type.v3.Percent in percent, FractionalPercent as a share of 1. */
  msg(field: string): ConfigMessage | undefined;
  list(field: string): readonly ConfigMessage[];
  strings(field: string): readonly string[];
  nums(field: string): readonly number[];
  enums(field: string): readonly string[];
  /** Number of an enum field's value. */
  enumNumber(field: string): number;
  /** Map entries in file order; message values as ConfigMessage. */
  map(field: string): readonly (readonly [string, ConfigMessage])[];
  stringMap(field: string): readonly (readonly [string, string])[];
  /** google.protobuf.Struct / Value / ListValue field (or any message's) as plain JSON, or undefined. Reads all of it. */
  json(field: string): unknown;
  /** An Any field unpacked (TypedStruct resolved to its type), or undefined when not set or already reported as unknown. */
  any(field: string): ConfigMessage | undefined;
  /** The whole message as proto JSON (original snake_case names), for dumps. Does not count as reading. */
  toJson(): unknown;
  /** False: the field is set to something that cannot be made out (that was reported), so what depends on it cannot be judged. */
  readable(field: string): boolean;
  /** Marks a field as deliberately without effect here: loading it is a warning (`--strict`: an error). */
  noop(field: string, why: string): void;
  /** Refuses a set field by name: 'not supported yet' with its place. Nothing when not set. */
  unsupported(field: string, why?: string): void;
  /** Reports an error at a field ('' for the message itself). */
  error(field: string, message: string): void;
  /** Reports, in Envoy's words, an extension that nobody knows; `type` undefined: it has no typed_config. */
  unregistered(field: string, name: string, type: string | undefined): void;
  warn(field: string, message: string): void;
  place(field?: string): Place;
}

export interface Report { readonly severity: 'error' | 'warning'; readonly message: string; readonly place: Place }

export type StaplePolicyName = 'LENIENT_STAPLING' | 'STRICT_STAPLING' | 'MUST_STAPLE';

/** A secret of the configuration and how to load it. `load` reads its sources anew, throws with what is wrong, and gives a SecretPlan (plan/tls-plan.ts). */
export interface SecretSource {
  /** The same for what is alike. */
  readonly key: string;
  readonly kind: 'certificate' | 'validation' | 'tickets';
  /** Resource name of one by SDS or of the bootstrap, else ''. */
  readonly name: string;
  /** Files and folders whose change may change it. */
  files: readonly string[];
  /** Where its parts come from, for /certs. */
  paths: { readonly [part: string]: string };
  load(): unknown;
  /** Of a certificate: why a server with this ocsp_staple_policy may not have what was loaded last; '' where it may. */
  problem?(policy: StaplePolicyName): string;
  /** ocsp_staple_policy of the servers that have it. */
  policies?: Set<StaplePolicyName>;
  /** Of one by discovery. */
  readonly discovery?: SecretDiscovery;
}

/** How a secret is discovered. `version`: version_info of what was read last. */
export interface SecretDiscovery { readonly files: readonly string[]; /** 0: without end. */ readonly fetchTimeoutMs: number; version: string }

/** Where dynamic resources come from: a file, which is watched. */
export interface DiscoverySource { readonly path: string; /** '' for none. */ readonly watchedDirectory: string; /** 0: without end. */ readonly initialFetchTimeoutMs: number }

/** Whose chain of HTTP filters, in Envoy's words: of a connection manager, of one of its upgrades, of a cluster, of a router for all clusters. */
export type HttpChainKind = 'http' | 'http upgrade' | 'upstream http' | 'router upstream http';

/** What config.ts functions are given. One per resource. */
export interface CompileContext {
  /** Compiles an extension (a TypedExtensionConfig-like message, or an Any already unpacked) of a category such as 'envoy.filters.http' through the catalog; unknown types are reported. */
  extension(category: string, config: ConfigMessage): ExtensionPlan | null;
  /** Compiles a list of HttpFilter, which must end with the chain's terminal filter. */
  httpFilters(list: readonly ConfigMessage[], chain: HttpChainKind): readonly { readonly name: string; readonly filter: ExtensionPlan; readonly disabled: boolean }[];
  /** Compiles a list of envoy.config.accesslog.v3.AccessLog, each with its filter; those with faults are reported and left out. */
  accessLogs(list: readonly ConfigMessage[]): readonly ExtensionPlan[];
  /** Reads a DataSource (filename, inline_string, inline_bytes, environment_variable); undefined after an error was reported. */
  dataSource(source: ConfigMessage): Uint8Array | undefined;
  /** Registers a secret; gives what is wrong with it now, '' for nothing. */
  secret(source: SecretSource): string;
  /** Says that a server has this certificate; why it may not, '' where it may, and for one by discovery: what that brings is looked at as it comes. */
  secretProblem(key: string, policy: StaplePolicyName): string;
  /** A secret by name: of the bootstrap, or of a file (SdsSecretConfig). Gives its key; reports what it cannot. */
  sdsSecret(kind: SecretSource['kind'], config: ConfigMessage): string;
  /** A reference to be checked when everything is known: an unknown cluster is an error at this place. */
  needsCluster(name: string, at: ConfigMessage, field: string, who?: string): void;
  /** Registers a side record, such as an inline route configuration. Returns its key. */
  routes(config: ConfigMessage): string;
  /** A ConfigSource; null after an error was reported, or for none. */
  source(config: ConfigMessage | undefined): DiscoverySource | null;
  /** Asks for a route table by discovery (RDS). `filters`: names of the chain that will use it, in order. Returns its key. */
  discoveredRoutes(name: string, source: DiscoverySource, statPrefix: string, filters: readonly string[]): string;
  /** Whether clusters of a route configuration are looked for where it does not say. */
  readonly validateClusters: boolean;
  /** cluster_specifier_plugins of the route configuration, compiled (ForwardPlan's target), by name; null: an optional one that is not known, whose routes are passed over. */
  readonly clusterSpecifiers: ReadonlyMap<string, unknown>;
  /** max_direct_response_body_size_bytes of the route configuration. */
  readonly maxDirectBody: number;
  /** Name of the resource being compiled, unique within its kind. */
  readonly resource: string;
  readonly bootstrap: { readonly concurrency: number; readonly nodeId: string; readonly nodeCluster: string } & ProcessFacts;
}

/** What the bootstrap settles for resources of any origin. */
export interface ProcessFacts {
  /** Of the bootstrap extension internal_listener; 0: it is not there. */
  readonly internalBufferBytes: number;
  /** cluster_manager.upstream_bind_config (CompiledBind of the upstream room): of clusters that have none of their own; null: none. */
  readonly upstreamBind: unknown;
  /** cluster_manager.local_cluster_name, '' for none. */
  readonly localCluster: string;
}

/** A compiled extension: `kind` is the key of the data catalog (the type URL's message name), `body` plain data. */
export interface ExtensionPlan { readonly kind: string; readonly body: unknown }
export type ExtensionCompiler = (config: ConfigMessage, ctx: CompileContext) => unknown;
