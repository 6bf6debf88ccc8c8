// The statistics behind success-rate ejection (Envoy: DetectorImpl::successRateEjectionThreshold), without state.

export interface HostRate { readonly host: number; /** Percent of requests that succeeded. */ readonly rate: number }
export interface RateThreshold { /** Percent; -1: not enough hosts. */ readonly average: number; /** Hosts below it are outliers; -1: none. */ readonly threshold: number }

/** Hosts that had at least `volume` requests in the window. */
export function ratesOf(windows: readonly { readonly host: number; readonly success: number; readonly total: number }[], volume: number): HostRate[] {
  return windows.filter((w) => w.total >= Math.max(1, volume)).map((w) => ({ host: w.host, rate: (100 * w.success) / w.total }));
}

/** Mean less `factor` standard deviations. */
export function rateThreshold(rates: readonly HostRate[], minimumHosts: number, factor: number): RateThreshold {
  if (rates.length === 0 || rates.length < minimumHosts) return { average: -1, threshold: -1 };
  const average = rates.reduce((sum, r) => sum + r.rate, 0) / rates.length;
  const variance = rates.reduce((sum, r) => sum + (r.rate - average) ** 2, 0) / rates.length;
  return { average, threshold: average - factor * Math.sqrt(variance) };
}
