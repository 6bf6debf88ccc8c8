// The router filter's own configuration.

export interface RouterConfig { readonly suppressEnvoyHeaders: boolean; readonly respectExpectedTimeout: boolean }
