// What the admin interface is told: the control engine seen through AdminSource.
import type { Server } from 'node:http';
import type { AdminSource } from './admin/admin-source.ts';
import { makeAdminServer } from './admin/admin-server.ts';
import type { AdminPlan } from './control/compile/process-config.ts';
import type { StatReader } from './control/stats/stat-reader.ts';
import type { ControlEngine } from './control-engine.ts';

export class ControlAdmin implements AdminSource {
  private readonly engine: ControlEngine;
  constructor(engine: ControlEngine) { this.engine = engine; }

  server(_plan: AdminPlan): Server { return makeAdminServer(this); }

  get stats(): StatReader { this.engine.state.tick(); this.engine.refreshBreakers(); return this.engine.state.stats; }
  state(): 'LIVE' | 'DRAINING' | 'PRE_INITIALIZING' | 'INITIALIZING' { return this.engine.state.lifeState; }
  serverInfo(): unknown {
    const { state, host, compiled } = this.engine, f = host.flags;
    return {
      version: `weir/${host.version}/Node ${process.version}`, state: state.lifeState, uptime_current_epoch: `${state.uptimeS()}s`, uptime_all_epochs: `${state.uptimeS()}s`, hot_restart_version: 'disabled',
      command_line_options: { concurrency: f.concurrency, config_path: f.configPath, config_yaml: f.configYaml, admin_address_path: f.adminAddressPath, service_cluster: f.serviceCluster, service_node: f.serviceNode, service_zone: f.serviceZone, file_flush_interval: `${f.fileFlushIntervalMs / 1000}s`, drain_time: `${f.drainTimeS}s`, drain_strategy: f.drainStrategy === 'immediate' ? 'Immediate' : 'Gradual' },
      node: compiled?.process.node ?? {},
      weir: { transport: [...state.workers.values()].find((w) => w.transport !== '')?.transport ?? '', control_restarts: host.controlRestarts, workers: [...state.workers.values()].map((w) => ({ id: w.id, up: w.up, restarts: w.restarts, transport: w.transport })) },
    };
  }
  reopenLogs(): void { this.engine.onSignal('SIGUSR1'); }
  failHealthCheck(failed: boolean): void { this.engine.state.failedHealthCheck = failed; this.engine.host.shared.words.setHealthFailed(failed); }
  drainListeners(graceful: boolean, inboundOnly: boolean, _skipExit: boolean): void { this.engine.drainListeners(inboundOnly, graceful); }
  quit(): void { this.engine.shutDown(); }
}
