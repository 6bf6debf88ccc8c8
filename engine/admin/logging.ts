// POST /logging: shows the level of every logger; changes one (?http=debug), several (?paths=http:debug,router:info) or all (?level=info). All or nothing: one unknown
// name or level changes none.
import { LOG_LEVELS, type LogLevel } from '../observe/log.ts';
import type { AdminSource } from './admin-source.ts';
import type { AdminEndpoint } from './endpoint.ts';
import type { Query } from './query.ts';

export const logging: AdminEndpoint = {
  path: '/logging', help: 'query/change logging levels', changes: true,
  params: [
    ['paths', 'Change multiple logging levels by setting to <logger_name1>:<desired_level1>,<logger_name2>:<desired_level2>. If fine grain logging is enabled, use __FILE__ or a glob experision as the logger name. For example, source/common*:warning'],
    ['group', 'Change given logger group to desired level, set to <logger_group_name>:<desired_level>. logger_group_name must be a logger name.'],
    ['level', "desired logging level, this will change all loggers's level; One of (, trace, debug, info, warning, error, critical, off)"],
  ],
  answer(source, query) {
    const fault = change(source, query);
    const usage = fault === null ? '' : `error: ${fault}\n\nusage: /logging?<name>=<level> (change single level)\nusage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\nusage: /logging?level=<level> (change all levels)\nusage: /logging?group=<group_name>:<level> (change group of loggers)\nlevels: ${LOG_LEVELS.join(' ')} \n`;
    return { status: fault === null ? 200 : 400, body: `${usage}active loggers:\n${source.logLevels().map(([c, l]) => `  ${c}: ${l}\n`).join('')}` };
  },
};

/** Does what is asked; the fault in Envoy's words, or null. */
function change(source: AdminSource, query: Query): string | null {
  if (query.entries.length === 0) return null;
  if (query.entries.length > 1) return 'invalid number of parameters';
  const [name, value] = query.entries[0]!;
  const level = (l: string): LogLevel | undefined => LOG_LEVELS.find((x) => x === l);
  if (value === '') return null;
  if (name === 'group') return 'fine-grain logging is not enabled';
  if (name === 'level') { if (level(value) === undefined) return 'unknown logger level'; source.setLogLevel('', value); return null; }
  const known = new Set(source.logLevels().map(([c]) => c)), wanted: (readonly [string, LogLevel])[] = [];
  for (const pair of name === 'paths' ? value.split(',') : [`${name}:${value}`]) {
    const [component = '', l] = pair.split(':');
    if (l === undefined || l === '' || component === '') return 'empty logger name or empty logger level';
    const found = level(l);
    if (found === undefined) return 'unknown logger level';
    if (!known.has(component)) return 'unknown logger name';
    wanted.push([component, found]);
  }
  for (const [c, l] of wanted) source.setLogLevel(c, l);
  return null;
}
