// Listener filters as workers install them.

export interface TlsInspectorPlan { readonly ja3: boolean; readonly ja4: boolean; readonly closeOnError: boolean; readonly maxHelloBytes: number }
