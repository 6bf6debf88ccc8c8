// Http1ProtocolOptions and the limits of a head, as the codec takes them (Envoy: config.core.v3.Http1ProtocolOptions), defaults filled in.
import type { StringMatcherPlan } from '../headers/string-matcher.ts';

export interface Http1OptionsPlan {
  readonly allowAbsoluteUrl: boolean;
  readonly acceptHttp10: boolean;
  readonly defaultHostForHttp10: string;
  readonly enableTrailers: boolean;
  /** How names are written. */
  readonly nameFormat: 'lower' | 'proper' | 'preserve';
  readonly allowChunkedLength: boolean;
  readonly streamErrorOnInvalidHttpMessage: boolean;
  readonly allowCustomMethods: boolean;
  /** Of 'preserve': lines that are added are written in proper case; the upstream's reason phrase is passed on. */
  readonly addedInProperCase: boolean;
  readonly forwardReason: boolean;
  /** Upgrade tokens that are ignored. */
  readonly ignoreUpgrades: readonly StringMatcherPlan[];
  readonly sendFullyQualifiedUrl: boolean;
  readonly headersWithUnderscores: 'allow' | 'reject' | 'drop';
  readonly maxHeadersKb: number;
  readonly maxHeadersCount: number;
}

export const HTTP1_DEFAULTS: Http1OptionsPlan = {
  allowAbsoluteUrl: true, acceptHttp10: false, defaultHostForHttp10: '', enableTrailers: false, nameFormat: 'lower', allowChunkedLength: false, streamErrorOnInvalidHttpMessage: false,
  allowCustomMethods: false, addedInProperCase: false, forwardReason: false, ignoreUpgrades: [], sendFullyQualifiedUrl: false, headersWithUnderscores: 'allow', maxHeadersKb: 60, maxHeadersCount: 100,
};
