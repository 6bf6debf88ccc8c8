// bin/weir has Node keep the compiled form of our modules (NODE_COMPILE_CACHE: beside the packages, not in the temporary directory, where anybody could put code for us
// to run). Node writes it as a thread ends; a proxy's threads do not end, so each writes it once it has run what a start runs. A start that finds it neither strips types nor compiles.
import { flushCompileCache } from 'node:module';

const SETTLED_MS = 5000;

/** Once in each thread. */
export function keepCompiled(): void { setTimeout(flushCompileCache, SETTLED_MS).unref(); }
