// Which change of a secret makes a new context, and which is counted as an update by discovery.
import assert from 'node:assert/strict';
import test from 'node:test';
import { DownstreamTls, UpstreamTls } from '../../../../engine/net/tls/contexts.ts';
import type { TlsEngine, TlsSession } from '../../../../engine/net/tls/engine.ts';
import { SecretStore } from '../../../../engine/net/tls/secret-store.ts';
import { TLS_FACTORY, TLS_FACTORY_SCHEMA } from '../../../../engine/observe/stats/tls-schemas.ts';
import { StatBlock } from '../../../../engine/observe/stats/stat-block.ts';
import { pack } from '../../../../engine/plan/plan-wire.ts';
import { seal } from '../../../../engine/plan/sealed.ts';
import { PROCESS_TICKETS, type SecretPlan } from '../../../../engine/plan/tls-plan.ts';
import { certificates } from '../../../support/certificates.ts';
import { factsOf, fakeEnv, FakeSocket } from '../../../support/fake-socket.ts';
import { certificateSecret, CLIENT, SERVER } from '../../../support/tls-pair.ts';

const KEY = Buffer.alloc(32, 9), certs = certificates();

test('rotated ticket keys of the process make new contexts of servers that seal under them, and of nobody else; they are no update by discovery', () => {
  const made: string[] = [], secrets = new SecretStore(KEY);
  const session = { start() {}, close() {}, pendingBytes: 0 } as unknown as TlsSession;
  const engine: TlsEngine = { name: 'node', cannot: () => '', server: (s) => { made.push(s.plan.ticketKeys || 'server'); return { accept: () => session }; }, client: () => { made.push('client'); return { connect: () => session }; } };
  const env = { ...fakeEnv(), secrets, tls: [engine] };
  const install = (name: string, plan: SecretPlan): void => { secrets.install(name, Buffer.from(seal(KEY, Buffer.from(pack(plan))))); };
  const tickets = (name: string, fill: number): void => { install(name, { kind: 'tickets', keys: [Buffer.alloc(32, fill)] }); };
  const plan = { ...SERVER, certificates: ['pair'] };
  const servers = [new DownstreamTls(plan, env, 'listener.a'), new DownstreamTls({ ...plan, ticketKeys: 'own' }, env, 'listener.b')], client = new UpstreamTls(CLIENT, env, 'cluster.c');
  const connect = (): string[] => {
    for (const s of servers) { const socket = new FakeSocket(); s.wrap(socket, factsOf(socket)); }
    client.wrap(new FakeSocket(), client.options(''));
    return made.splice(0);
  };
  const updates = (scope: string): number => { const b = new StatBlock(env.stats, TLS_FACTORY_SCHEMA, scope); b.touch(); return b.own(TLS_FACTORY.ssl_context_update_by_sds); };
  const counted = (): number[] => [updates('listener.a.server_ssl_socket_factory'), updates('listener.b.server_ssl_socket_factory'), updates('cluster.c.client_ssl_socket_factory')];

  install('pair', certificateSecret(certs.server)); tickets('own', 1); tickets(PROCESS_TICKETS, 2);
  assert.deepEqual(connect(), ['server', 'own', 'client']);
  tickets(PROCESS_TICKETS, 3);
  assert.deepEqual(connect(), ['server']);
  assert.deepEqual(counted(), [0, 0, 0]);
  tickets('own', 4);
  assert.deepEqual(connect(), ['own']);
  install('pair', certificateSecret(certs.second)); tickets(PROCESS_TICKETS, 5);
  assert.deepEqual(connect(), ['server', 'own']);
  assert.deepEqual(counted(), [1, 2, 0]);
});
