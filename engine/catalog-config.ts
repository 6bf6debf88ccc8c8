// Every extension's configuration side, by the full name of its message: the one list that the control thread compiles by.
import { compileHcm } from './filters/network/http-connection-manager/config.ts';
import { compileRouter } from './filters/http/router/config.ts';
import { compileFileLog, compileStreamLog } from './observe/accesslog/config.ts';
import type { ExtensionCompiler } from './proto/config-message.ts';

export interface ExtensionEntry { readonly category: string; readonly compile: ExtensionCompiler }

export const EXTENSIONS: ReadonlyMap<string, ExtensionEntry> = new Map<string, ExtensionEntry>([
  ['envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', { category: 'envoy.filters.network', compile: compileHcm }],
  ['envoy.extensions.filters.http.router.v3.Router', { category: 'envoy.filters.http', compile: compileRouter }],
  ['envoy.extensions.access_loggers.file.v3.FileAccessLog', { category: 'envoy.access_loggers', compile: compileFileLog }],
  ['envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', { category: 'envoy.access_loggers', compile: compileStreamLog('stdout') }],
  ['envoy.extensions.access_loggers.stream.v3.StderrAccessLog', { category: 'envoy.access_loggers', compile: compileStreamLog('stderr') }],
]);
