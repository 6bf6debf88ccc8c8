// The router filter's own configuration.

export interface RouterConfig { readonly suppressEnvoyHeaders: boolean; readonly respectExpectedTimeout: boolean; /** Headers that must be well-formed when they are there. */ readonly strictHeaders: readonly string[] }
