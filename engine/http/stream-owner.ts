// What a stream needs of its connection. Implemented by the connection manager, and by a harness in tests.
import type { ServerStream } from '../codec/codec.ts';
import type { ConnectionFacts } from '../observe/stream-facts.ts';
import type { LocalReply } from './filter.ts';
import type { HcmRuntime } from './hcm-runtime.ts';
import type { Stream } from './stream.ts';

export interface StreamOwner {
  readonly runtime: HcmRuntime;
  readonly facts: ConnectionFacts;
  readonly bufferLimit: number;
  /** The answer where the overload manager refuses this request. */
  refusesRequest(): LocalReply | null;
  /** Load shed point http_downstream_filter_check. */
  shedsRequest(): boolean;
  /** A stream's idle or flush timeout under the present pressure, ms. */
  streamIdleMs(ms: number): number;
  streamFlushMs(ms: number): number;
  streamEnded(stream: Stream): void;
  /** Another stream on the exchange of one that ends (internal redirects). */
  recreateStream(codec: ServerStream): Stream;
  /** A stream has another idle timeout than before. */
  idleChanged(): void;
}
