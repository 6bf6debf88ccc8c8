// A gRPC service and its client by grpc-js, for flow tests: messages are bytes, what the service does is told by the message.
import * as grpc from '@grpc/grpc-js';

const bytes = { serialize: (b: Buffer): Buffer => b, deserialize: (b: Buffer): Buffer => b };
const method = (name: string, up: boolean, down: boolean): grpc.MethodDefinition<Buffer, Buffer> => ({ path: `/test.Echo/${name}`, requestStream: up, responseStream: down, requestSerialize: bytes.serialize, requestDeserialize: bytes.deserialize, responseSerialize: bytes.serialize, responseDeserialize: bytes.deserialize });
const SERVICE = { Unary: method('Unary', false, false), Down: method('Down', false, true), Up: method('Up', true, false), Both: method('Both', true, true) };
const NO_LIMIT = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

export interface GrpcBackend { readonly port: number; readonly cancelled: () => number; readonly active: () => number; /** GOAWAY, and an end after the calls under way. */ drain(): Promise<void>; stop(): void }

/** Unary: 'slow N' answers after N ms, 'fail N' fails with status N, else an echo. Down: as many numbers as the text says. Up: the sum of the lengths. Both: an echo of each message. */
export async function grpcBackend(port = 0): Promise<GrpcBackend> {
  let cancelled = 0, active = 0;
  const server = new grpc.Server(NO_LIMIT);
  server.addService(SERVICE, {
    Unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      const text = call.request.length < 50 ? call.request.toString() : '', [word, n] = text.split(' ');
      const answer = (): void => {
        const trailer = new grpc.Metadata();
        trailer.set('x-trailer', 't');
        const head = new grpc.Metadata();
        head.set('x-got', String(call.metadata.get('x-meta')[0] ?? ''));
        call.sendMetadata(head);
        done(null, call.request, trailer);
      };
      if (word === 'fail') done({ code: Number(n), details: `failed as told: ${n} %` });
      else if (word === 'slow') { const timer = setTimeout(answer, Number(n)); call.on('cancelled', () => { cancelled++; clearTimeout(timer); }); } else answer();
    },
    Down: (call: grpc.ServerWritableStream<Buffer, Buffer>) => { const n = Number(call.request.toString()); for (let i = 0; i < n; i++) call.write(Buffer.from(String(i))); call.end(); },
    Up: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => { let n = 0; call.on('data', (b: Buffer) => { n += b.length; }); call.on('end', () => done(null, Buffer.from(String(n)))); },
    Both: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => { active++; call.on('data', (b: Buffer) => call.write(b)); call.on('end', () => call.end()); call.on('cancelled', () => { cancelled++; }); call.on('close', () => { active--; }); },
  });
  const bound = await new Promise<number>((resolve, reject) => { server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (e, p) => (e ? reject(e) : resolve(p))); });
  return { port: bound, cancelled: () => cancelled, active: () => active, drain: () => new Promise((r) => { server.tryShutdown(() => r()); }), stop: () => server.forceShutdown() };
}

export interface Reply { readonly code: number; readonly details: string; readonly body: Buffer; readonly head: grpc.Metadata | null; readonly trailers: grpc.Metadata | null }

export class GrpcClient {
  private readonly client: grpc.Client;
  constructor(port: number) { this.client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), { ...NO_LIMIT, 'grpc.use_local_subchannel_pool': 1 }); }

  unary(message: string | Buffer, options: grpc.CallOptions = {}, meta: Record<string, string> = {}, path = '/test.Echo/Unary'): Promise<Reply> & { readonly call: grpc.ClientUnaryCall } {
    const metadata = new grpc.Metadata();
    for (const [k, v] of Object.entries(meta)) metadata.set(k, v);
    let call!: grpc.ClientUnaryCall;
    const promise = new Promise<Reply>((resolve) => {
      let head: grpc.Metadata | null = null, status: grpc.StatusObject | null = null, result: [grpc.ServiceError | null, Buffer | undefined] | null = null;
      const done = (): void => { if (status !== null && result !== null) resolve({ code: status.code, details: status.details, body: result[1] ?? Buffer.alloc(0), head, trailers: status.metadata }); };
      call = this.client.makeUnaryRequest(path, bytes.serialize, bytes.deserialize, Buffer.from(message as string), metadata, options, (e, v) => { result = [e, v]; done(); });
      call.on('metadata', (m: grpc.Metadata) => { head = m; });
      call.on('status', (s: grpc.StatusObject) => { status = s; done(); });
    });
    return Object.assign(promise, { call });
  }

  down(count: number): Promise<string[]> {
    return new Promise((resolve, reject) => { const got: string[] = [], call = this.client.makeServerStreamRequest('/test.Echo/Down', bytes.serialize, bytes.deserialize, Buffer.from(String(count))); call.on('data', (b: Buffer) => got.push(b.toString())); call.on('end', () => resolve(got)); call.on('error', reject); });
  }
  up(pieces: readonly Buffer[]): Promise<string> {
    return new Promise((resolve, reject) => { const call = this.client.makeClientStreamRequest<Buffer, Buffer>('/test.Echo/Up', bytes.serialize, bytes.deserialize, (e, v) => (e ? reject(e) : resolve(v!.toString()))); for (const p of pieces) call.write(p); call.end(); });
  }
  both(): grpc.ClientDuplexStream<Buffer, Buffer> { return this.client.makeBidiStreamRequest('/test.Echo/Both', bytes.serialize, bytes.deserialize); }
  close(): void { this.client.close(); }
}

/** One echo over a stream of both directions. */
export function echoOnce(call: grpc.ClientDuplexStream<Buffer, Buffer>, text: string): Promise<string> {
  return new Promise((resolve, reject) => { call.once('data', (b: Buffer) => resolve(b.toString())); call.once('error', reject); call.write(Buffer.from(text)); });
}
