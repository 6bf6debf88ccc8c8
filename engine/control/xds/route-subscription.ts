// A route table that a connection manager asks for by name (RDS), and the key under which workers know it.
import type { DiscoverySource } from '../../proto/config-message.ts';

export interface RouteSubscription { readonly key: string; readonly name: string; readonly source: DiscoverySource; /** http.STAT_PREFIX.rds.NAME.* are its stats. */ readonly statPrefix: string }
