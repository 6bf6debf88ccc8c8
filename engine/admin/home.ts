// GET /: the home page, as useful as Envoy's: every command with its parameters, and above it a live look at listeners, clusters and rates. One document, nothing
// fetched from elsewhere; the script asks this same admin interface. Also the frame of /stats in HTML.
import { readFileSync } from 'node:fs';
import { helpText, type AdminEndpoint } from './endpoint.ts';

const escape = (s: string): string => s.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** The page but for its commands; kept whole, as it is read by people and by browsers. */
const PAGE = readFileSync(new URL('./home.html', import.meta.url), 'utf8');

/** One command: a link, or a form with its parameters; what changes something is posted. */
function commandRow(e: AdminEndpoint, i: number): string {
  const path = escape(e.path.slice(1)), id = `f${i}`;
  const field = ([name, help]: readonly [string, string]): string => {
    const choices = /One of \(([^)]*)\)/.exec(help)?.[1]?.split(', ');
    const flag = ['usedonly', 'invert_filter', 'include_eds', 'graceful', 'skip_exit', 'inboundonly', 'text_readouts'].includes(name);
    const input = choices !== undefined ? `<select name="${name}" form="${id}"><option></option>${choices.filter(Boolean).map((c) => `<option>${escape(c)}</option>`).join('')}</select>` : flag ? `<input type="checkbox" name="${name}" form="${id}">` : `<input type="text" name="${name}" form="${id}">`;
    return `<div><label>${input} ${escape(name)}</label> <small>${escape(help)}</small></div>`;
  };
  return `<tr><td><form id="${id}" action="${path}" method="${e.changes ? 'post' : 'get'}" onsubmit="for(const x of this.elements)if(!x.value)x.disabled=true"><button>${path}</button></form></td><td>${escape(e.help)}${(e.params ?? []).map(field).join('')}</td></tr>`;
}

export function homePage(endpoints: readonly AdminEndpoint[]): string { return PAGE.replace('<!-- commands -->', () => endpoints.filter((e) => e.path !== '/').map(commandRow).join('\n')); }

/** /stats?format=html (once) and active-html (again every two seconds). */
export function* statsPage(pieces: Iterable<string>, active: boolean): Generator<string> {
  yield `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Envoy Admin: stats</title><link rel="icon" href="data:,">${active ? '<meta http-equiv="refresh" content="2">' : ''}</head><body>\n<h1><a href="/">Weir admin</a>: stats</h1>\n<pre>`;
  for (const p of pieces) yield escape(p);
  yield '</pre>\n</body></html>\n';
}

export const home = (all: () => readonly AdminEndpoint[]): AdminEndpoint => ({ path: '/', help: 'Admin home page', answer: () => ({ status: 200, type: 'html', body: homePage(all()) }) });
export const help = (all: () => readonly AdminEndpoint[]): AdminEndpoint => ({ path: '/help', help: 'print out list of admin commands', answer: () => ({ status: 200, body: helpText(all()) }) });
