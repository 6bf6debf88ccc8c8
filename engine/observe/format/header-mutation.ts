// Header mutations with formatted values (Envoy: HeaderValueOption), built once. Values are made before anything is changed, as Envoy does.
import type { Clock } from '../../loop/clock.ts';
import type { Headers, RequestHeaders, ResponseHeaders } from '../../headers/headers.ts';
import { makeStringMatcher, type StringMatcherPlan } from '../../headers/string-matcher.ts';
import type { HeaderMutationPlan } from '../../plan/header-mutation-plan.ts';
import type { StreamFacts } from '../stream-facts.ts';
import type { FormatContext, Formatter } from './formatter.ts';
import { makeFormatter } from './make-formatter.ts';
import type { OperatorEnv } from './operators.ts';

/** One context object for a thread: formatters only read it while they run. */
export class MutableContext implements FormatContext {
  facts!: StreamFacts;
  wallMs = 0;
  nowMs = 0;
  accessLogType = '';
  set(facts: StreamFacts, clock: Clock): this { this.facts = facts; this.wallMs = clock.wallMs(); this.nowMs = clock.nowMs(); return this; }
}

function matcherOf(plan: StringMatcherPlan): (name: string) => boolean { const m = makeStringMatcher(plan); return (name) => m.matches(name); }

export class HeaderMutations {
  private readonly adds: readonly { readonly name: string; readonly value: Formatter; readonly action: string; readonly keepEmpty: boolean }[];
  private readonly values: string[] = [];
  private readonly removes: readonly string[];
  private readonly matching: ((name: string) => boolean) | null;
  private readonly clock: Clock;
  private readonly context = new MutableContext();
  readonly empty: boolean;

  constructor(plan: HeaderMutationPlan, env: OperatorEnv, clock: Clock) {
    this.adds = plan.add.map((a) => ({ name: a.name, value: makeFormatter(a.format, env), action: a.action, keepEmpty: a.keepEmpty }));
    this.removes = plan.remove;
    this.matching = plan.removeMatching === undefined ? null : matcherOf(plan.removeMatching);
    this.clock = clock;
    this.empty = this.adds.length === 0 && this.removes.length === 0 && this.matching === null;
  }

  apply(headers: RequestHeaders | ResponseHeaders, facts: StreamFacts): void {
    if (this.empty) return;
    for (const name of this.removes) headers.remove(name);
    if (this.matching !== null) headers.removeIf(this.matching);
    const context = this.context.set(facts, this.clock);
    const { adds, values } = this;
    for (let i = 0; i < adds.length; i++) values[i] = adds[i]!.value.format(context, '');
    for (let i = 0; i < adds.length; i++) {
      // A lone operator without a value is '' and the header is left out unless it is to be kept.
      if (values[i] !== '' || adds[i]!.keepEmpty) put(headers, adds[i]!.name, values[i]!, adds[i]!.action);
    }
  }
}

function put(headers: Headers, name: string, value: string, action: string): void {
  if (name.charCodeAt(0) === 58 || name === 'host') { (headers as RequestHeaders).setPseudo?.(name === 'host' ? ':authority' : name, value); return; }
  switch (action) {
    case 'append': headers.add(name, value); break;
    case 'add-if-absent': if (!headers.has(name)) headers.add(name, value); break;
    case 'overwrite-or-add': headers.set(name, value); break;
    case 'overwrite-if-exists': if (headers.has(name)) headers.set(name, value); break;
  }
}
