// Limits of connections over all workers: connection_limit and local_ratelimit are exact for the process, and what a dead worker held comes back.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import test from 'node:test';
import { networkFilter, staticYaml, tcpListenerYaml } from '../support/bootstrap.ts';
import { freePort, startWeir, until } from '../support/weir.ts';

const ECHO = networkFilter('echo.v3.Echo', '');

/** Connects; resolves to whether the connection echoes. */
function knock(port: number): Promise<{ socket: Socket; open: boolean }> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('x'));
    socket.once('data', () => resolve({ socket, open: true }));
    socket.once('close', () => resolve({ socket, open: false }));
    socket.on('error', () => {});
  });
}

test('two workers let through exactly as many connections as connection_limit says, and as local_ratelimit has tokens', async (t) => {
  const ports = [await freePort(), await freePort(), await freePort()] as const;
  const weir = await startWeir(staticYaml([
    tcpListenerYaml('limit', ports[0], [networkFilter('connection_limit.v3.ConnectionLimit', 'stat_prefix: c, max_connections: 7'), ECHO]),
    tcpListenerYaml('rate', ports[1], [networkFilter('local_ratelimit.v3.LocalRateLimit', 'stat_prefix: r, token_bucket: {max_tokens: 9, fill_interval: 3600s}'), ECHO]),
    tcpListenerYaml('early', ports[2], [ECHO], 'listener_filters: [{name: l, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit, stat_prefix: e, token_bucket: {max_tokens: 5, fill_interval: 3600s}}}]'),
  ], []), { concurrency: 2 });
  t.after(() => weir.stop());
  for (const [port, limit, stat] of [[ports[0], 7, 'connection_limit.c.limited_connections'], [ports[1], 9, 'local_rate_limit.r.rate_limited'], [ports[2], 5, 'listener_local_ratelimit.e.rate_limited']] as const) {
    const all = await Promise.all(Array.from({ length: 30 }, () => knock(port)));
    assert.equal(all.filter((k) => k.open).length, limit);
    assert.equal((await weir.stats(stat))[stat], 30 - limit);
    for (const k of all) k.socket.destroy();
  }
  await until('places are free again', async () => (await weir.stats('active_connections'))['connection_limit.c.active_connections'] === 0);
  const again = await Promise.all(Array.from({ length: 7 }, () => knock(ports[0])));
  assert.equal(again.filter((k) => k.open).length, 7);
  for (const k of again) k.socket.destroy();
});
