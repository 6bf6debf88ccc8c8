// echo: sends back what comes.
import type { DownstreamConnection, NetworkFilter, NetworkFilterFactory, NetworkVerdict } from '../../../net/connection.ts';

class Echo implements NetworkFilter {
  private readonly connection: DownstreamConnection;
  constructor(connection: DownstreamConnection) { this.connection = connection; }
  onData(bytes: Buffer, start: number, end: number): NetworkVerdict { this.connection.facts.bytesSent += end - start; this.connection.socket.write(bytes, start, end); return 'stop'; }
  onEnd(): void { this.connection.close('flush'); }
  // A client that does not read is not read from either.
  onBlocked(): void { this.connection.pauseReading('terminal'); }
  onDrained(): void { this.connection.resumeReading('terminal'); }
}

export class EchoFactory implements NetworkFilterFactory {
  readonly terminal = true;
  create(connection: DownstreamConnection): NetworkFilter { return new Echo(connection); }
}
