// Runs a test file again inside a network namespace of its own, where it may redirect packets as it likes. Needs root, unshare, ip and iptables; says what is missing.
import { spawnSync } from 'node:child_process';

/** Whether this process is the inner one. */
export const INSIDE = process.env['WEIR_TEST_NETNS'] === '1';

/** Why redirecting cannot be tried on this machine; '': it can. */
export function missing(): string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'not root on Linux';
  for (const c of ['unshare', 'ip', 'iptables']) if (spawnSync('sh', ['-c', `command -v ${c}`]).status !== 0) return `no ${c} here`;
  const tried = spawnSync('unshare', ['-n', 'sh', '-c', 'ip link set lo up && iptables -t nat -A OUTPUT -p tcp --dport 1 -j REDIRECT --to-ports 2'], { encoding: 'utf8' });
  return tried.status === 0 ? '' : `this kernel does not redirect: ${tried.stderr.trim().split('\n').pop() ?? ''}`;
}

/** Runs `file` inside after the shell commands of `setup`; gives its output where it failed, '' where it passed. */
export function runInside(file: string, setup: readonly string[]): string {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const script = `set -e\nip link set lo up\n${setup.join('\n')}\nexec "$0" --disable-warning=ExperimentalWarning --test-reporter=tap "$1"`;
  const r = spawnSync('unshare', ['-n', 'sh', '-c', script, process.execPath, file], { encoding: 'utf8', env: { ...env, WEIR_TEST_NETNS: '1' }, timeout: 110_000 });
  return r.status === 0 ? '' : `${r.stdout}\n${r.stderr}`;
}
