// The SETTINGS that we announce, in Envoy's order: custom ones first, so that for one of ours the option's value is what the peer goes by.
import type { Http2OptionsPlan } from '../../plan/http2-options-plan.ts';
import { FRAME_SIZE, SETTING } from './frames.ts';

export type Settings = readonly (readonly [number, number])[];

/** Those that have options of their own. */
function named(o: Http2OptionsPlan): Settings {
  return [[SETTING.HEADER_TABLE_SIZE, o.hpackTableSize], [SETTING.ENABLE_CONNECT_PROTOCOL, o.allowConnect ? 1 : 0], [SETTING.MAX_CONCURRENT_STREAMS, o.maxConcurrentStreams], [SETTING.INITIAL_WINDOW_SIZE, o.initialStreamWindowSize]];
}

export function serverSettings(o: Http2OptionsPlan): Settings { return [...o.customSettings, ...named(o)]; }
export function clientSettings(o: Http2OptionsPlan): Settings { return [[SETTING.ENABLE_PUSH, 0], ...o.customSettings.filter((s) => s[0] !== SETTING.ENABLE_PUSH), ...named(o)]; }

/** The longest frame that the peer may send. */
export function ownFrameSize(o: Http2OptionsPlan): number { return o.customSettings.find((s) => s[0] === SETTING.MAX_FRAME_SIZE)?.[1] ?? FRAME_SIZE; }
