// Stat schemas of TLS. Numbers from 200 on (see schemas.ts).
import { defineSchema, type StatSchema } from './stat-block.ts';

/** Prefix 'listener.ADDRESS.ssl' or 'cluster.NAME.ssl'. ssl.ciphers.X, ssl.curves.X, ssl.sigalgs.X and ssl.versions.X come as they are met. */
const tls = defineSchema(200, {
  connection_error: 'counter', fail_verify_cert_hash: 'counter', fail_verify_error: 'counter', fail_verify_no_cert: 'counter', fail_verify_san: 'counter', handshake: 'counter', no_certificate: 'counter',
  ocsp_staple_failed: 'counter', ocsp_staple_omitted: 'counter', ocsp_staple_requests: 'counter', ocsp_staple_responses: 'counter', session_reused: 'counter',
});
export const TLS_SCHEMA = tls.schema;
export const TLS = tls.index;

/** Prefix 'listener.ADDRESS.server_ssl_socket_factory' or 'cluster.NAME.client_ssl_socket_factory'. */
const factory = defineSchema(201, { downstream_context_secrets_not_ready: 'counter', ssl_context_update_by_sds: 'counter', upstream_context_secrets_not_ready: 'counter' });
export const TLS_FACTORY_SCHEMA = factory.schema;
export const TLS_FACTORY = factory.index;

export const TLS_SCHEMAS: readonly StatSchema[] = [TLS_SCHEMA, TLS_FACTORY_SCHEMA];
