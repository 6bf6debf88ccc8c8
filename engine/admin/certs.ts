// GET /certs: every certificate in use, by TLS context.
import { json, type AdminEndpoint } from './endpoint.ts';

export const certs: AdminEndpoint = { path: '/certs', help: 'print certs on machine', answer: (source) => json({ certificates: source.certificates() }) };
