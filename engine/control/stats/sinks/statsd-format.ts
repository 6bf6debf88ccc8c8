// Lines of the statsd protocol as Envoy writes them: PREFIX.NAME:VALUE|TYPE, with tags in one of two places.
import type { TagExtractor } from '../tag-extractor.ts';
import type { TagStyle } from './sink-plan.ts';

export class StatsdFormat {
  private readonly prefix: string;
  private readonly style: TagStyle;
  private readonly tags: TagExtractor;
  constructor(prefix: string, style: TagStyle, tags: TagExtractor) { this.prefix = prefix; this.style = style; this.tags = tags; }

  /** `type`: 'c', 'g' or 'ms', with its sample rate where it stands for several. */
  line(name: string, value: number, type: string): string {
    // Envoy's values are whole numbers, and its gauges have no sign.
    const text = `:${Math.max(0, Math.round(value))}|${type}`;
    if (this.style === 'none') return `${this.prefix}.${name}${text}`;
    const e = this.tags.extract(name);
    if (this.style === 'dog') return `${this.prefix}.${e.name}${text}${e.tags.length === 0 ? '' : `|#${e.tags.map(([t, v]) => `${t}:${v}`).join(',')}`}`;
    return `${this.prefix}.${e.name}${e.tags.map(([t, v]) => `;${t}=${v}`).join('')}${text}`;
  }
}
