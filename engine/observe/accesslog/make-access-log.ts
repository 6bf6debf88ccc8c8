// Access loggers that write lines to files, made from their plans where they are installed.
import type { Clock } from '../../loop/clock.ts';
import type { AccessLogPlan } from '../../plan/accesslog-plan.ts';
import type { FormatContext } from '../format/formatter.ts';
import { MutableContext } from '../format/header-mutation.ts';
import { jsonLine, textLine } from '../format/line-format.ts';
import type { OperatorEnv } from '../format/operators.ts';
import type { LineBuffer } from './line-buffer.ts';
import type { StreamFacts } from '../stream-facts.ts';
import type { AccessLog, AccessLogType } from './access-log.ts';
import { makeLogFilter, type LogFilter, type LogFilterEnv } from './log-filter.ts';
import type { LogFile, LogFiles } from './log-file.ts';

export interface AccessLogEnv extends LogFilterEnv { readonly clock: Clock; readonly operators: OperatorEnv; readonly logFiles: LogFiles }

class LineLog implements AccessLog {
  private readonly filter: LogFilter | null;
  private readonly line: (out: LineBuffer, c: FormatContext) => void;
  private readonly file: LogFile;
  private readonly clock: Clock;
  private readonly context = new MutableContext();

  constructor(filter: LogFilter | null, line: LineLog['line'], file: LogFile, clock: Clock) { this.filter = filter; this.line = line; this.file = file; this.clock = clock; }

  log(facts: StreamFacts, type: AccessLogType): void {
    if (this.filter !== null && !this.filter(facts, type, this.clock.nowMs())) return;
    const out = this.file.begin();
    if (out === null) return;
    this.context.accessLogType = type;
    this.line(out, this.context.set(facts, this.clock));
    this.file.commit();
  }
}

export function makeAccessLog(plan: AccessLogPlan, env: AccessLogEnv): AccessLog {
  const { target, format } = plan;
  const file = env.logFiles.file(target.kind === 'file' ? target.path : `/dev/${target.kind}`);
  const filter = plan.filter === null ? null : makeLogFilter(plan.filter, env);
  const line = format.kind === 'json' ? jsonLine(format.json, env.operators, format.omitEmpty) : textLine(format.format, env.operators, format.omitEmpty ? '' : '-');
  return new LineLog(filter, line, file, env.clock);
}
