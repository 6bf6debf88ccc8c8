// Header mutations of one level (HeaderValueOption lists), in order.
import type { StringMatcherPlan } from '../headers/string-matcher.ts';
import type { FormatPlan } from '../observe/format/formatter.ts';

export interface HeaderAddPlan { readonly name: string; readonly format: FormatPlan; readonly action: 'append' | 'add-if-absent' | 'overwrite-or-add' | 'overwrite-if-exists'; readonly keepEmpty: boolean }
export interface HeaderMutationPlan { readonly add: readonly HeaderAddPlan[]; readonly remove: readonly string[]; /** Headers whose names match go too; absent: none. */ readonly removeMatching?: StringMatcherPlan }
