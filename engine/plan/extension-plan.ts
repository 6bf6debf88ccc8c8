// A compiled extension: `kind` is the full message name of its configuration, by which the data catalog knows its factory; `body` is plain data.

export interface ExtensionPlan { readonly kind: string; readonly body: unknown }
