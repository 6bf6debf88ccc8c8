// Access loggers that write lines to files, made from their plans where they are installed.
import type { Clock } from '../../loop/clock.ts';
import type { AccessLogPlan } from '../../plan/accesslog-plan.ts';
import type { FormatContext } from '../format/formatter.ts';
import { MutableContext } from '../format/header-mutation.ts';
import { makeFormatter, makeJsonFormatter } from '../format/make-formatter.ts';
import type { OperatorEnv } from '../format/operators.ts';
import type { StreamFacts } from '../stream-facts.ts';
import type { AccessLog, AccessLogType } from './access-log.ts';
import { makeLogFilter, type LogFilter, type LogFilterEnv } from './log-filter.ts';
import type { LogFile, LogFiles } from './log-file.ts';

export interface AccessLogEnv extends LogFilterEnv { readonly clock: Clock; readonly operators: OperatorEnv; readonly logFiles: LogFiles }

class LineLog implements AccessLog {
  private readonly filter: LogFilter | null;
  private readonly line: (c: FormatContext) => string;
  private readonly file: LogFile;
  private readonly clock: Clock;
  private readonly context = new MutableContext();

  constructor(filter: LogFilter | null, line: (c: FormatContext) => string, file: LogFile, clock: Clock) { this.filter = filter; this.line = line; this.file = file; this.clock = clock; }

  log(facts: StreamFacts, type: AccessLogType): void {
    if (this.filter !== null && !this.filter(facts, type, this.clock.nowMs())) return;
    this.context.accessLogType = type;
    this.file.write(this.line(this.context.set(facts, this.clock)));
  }
}

export function makeAccessLog(plan: AccessLogPlan, env: AccessLogEnv): AccessLog {
  const { target, format } = plan;
  const file = env.logFiles.file(target.kind === 'file' ? target.path : `/dev/${target.kind}`);
  const filter = plan.filter === null ? null : makeLogFilter(plan.filter, env);
  if (format.kind === 'json') {
    const json = makeJsonFormatter(format.json, env.operators, format.omitEmpty);
    return new LineLog(filter, (c) => `${json(c)}\n`, file, env.clock);
  }
  const text = makeFormatter(format.format, env.operators), empty = format.omitEmpty ? '' : '-';
  return new LineLog(filter, (c) => text.format(c, empty), file, env.clock);
}
