// Throw-away certificates for TLS tests, made once per process with openssl: an authority, servers, clients, and a client of another authority.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pair { readonly cert: string; readonly key: string; readonly certFile: string; readonly keyFile: string; /** An OCSP response (DER). */ readonly staple?: Buffer }
export interface Authority extends Pair {
  /** A certificate signed by this authority. `san` as openssl takes it. */
  issue(name: string, san: string, options?: { readonly rsa?: boolean; readonly days?: number; readonly extension?: string }): Pair;
  /** An OCSP response that all these are good, until `minutes` from now; 0: with no end. */
  respond(minutes: number, ...pairs: readonly Pair[]): Buffer;
  /** A PKCS #12 file of a pair with this authority's certificate; `more`: for openssl. */
  store(p: Pair, password: string, ...more: readonly string[]): Buffer;
  /** PEM of a revocation list with these certificates in it. */
  revoke(...pairs: readonly Pair[]): string;
}

let dir = '';
function folder(): string {
  if (dir !== '') return dir;
  dir = mkdtempSync(join(tmpdir(), 'weir-certs-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
const run = (...args: string[]): void => { execFileSync('openssl', args, { cwd: folder(), stdio: ['ignore', 'ignore', 'pipe'] }); };
const pair = (name: string): Pair => { const certFile = join(folder(), `${name}.pem`), keyFile = join(folder(), `${name}.key`); return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile }; };

const key = (name: string, rsa: boolean): void => { if (rsa) run('genrsa', '-out', `${name}.key`, '2048'); else run('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`); };

/** `by`: the name of the authority that has signed it; else it is its own. */
export function authority(name: string, by = ''): Authority {
  key(name, false);
  if (by !== '') {
    run('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-out', `${name}.csr`);
    run('x509', '-req', '-in', `${name}.csr`, '-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial', '-days', '3650', '-copy_extensions', 'copyall', '-out', `${name}.pem`);
  } else run('req', '-x509', '-new', '-key', `${name}.key`, '-days', '3650', '-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-out', `${name}.pem`);
  return {
    ...pair(name),
    issue(leaf, san, o = {}) {
      key(leaf, o.rsa === true);
      run('req', '-new', '-key', `${leaf}.key`, '-subj', `/O=Example/CN=${leaf}`, ...(san === '' ? [] : ['-addext', `subjectAltName=${san}`]), ...(o.extension === undefined ? [] : ['-addext', o.extension]), '-out', `${leaf}.csr`);
      const days = o.days ?? 3650;
      run('x509', '-req', '-in', `${leaf}.csr`, '-CA', `${name}.pem`, '-CAkey', `${name}.key`, '-CAcreateserial', ...(days > 0 ? ['-days', String(days)] : ['-days', '-1']), '-copy_extensions', 'copyall', '-out', `${leaf}.pem`);
      return pair(leaf);
    },
    respond(minutes, ...pairs) {
      const base = join(folder(), `${name}-ocsp`);
      writeFileSync(`${base}.txt`, pairs.map((p, i) => `V\t491231000000Z\t\t${new X509Certificate(p.cert).serialNumber}\tunknown\t/CN=${i}\n`).join(''));
      run('ocsp', '-index', `${base}.txt`, '-rsigner', `${name}.pem`, '-rkey', `${name}.key`, '-CA', `${name}.pem`, '-issuer', `${name}.pem`, ...pairs.flatMap((p) => ['-cert', p.certFile]), '-noverify', '-respout', `${base}.der`, ...(minutes > 0 ? ['-nmin', String(minutes)] : []));
      return readFileSync(`${base}.der`);
    },
    store(p, password, ...more) {
      const file = join(folder(), 'store.p12');
      run('pkcs12', '-export', '-in', p.certFile, ...(more.includes('-nokeys') ? [] : ['-inkey', p.keyFile]), '-certfile', `${name}.pem`, '-passout', `pass:${password}`, ...more, '-out', file);
      return readFileSync(file);
    },
    revoke(...pairs) {
      const base = join(folder(), `${name}-revoked`);
      writeFileSync(`${base}.txt`, ''); writeFileSync(`${base}.num`, '01\n');
      writeFileSync(`${base}.cnf`, `[ca]\ndefault_ca=c\n[c]\ndatabase=${base}.txt\ncrlnumber=${base}.num\ndefault_md=sha256\ndefault_crl_days=365\nunique_subject=no\n`);
      for (const p of pairs) run('ca', '-config', `${base}.cnf`, '-keyfile', `${name}.key`, '-cert', `${name}.pem`, '-revoke', p.certFile);
      run('ca', '-config', `${base}.cnf`, '-keyfile', `${name}.key`, '-cert', `${name}.pem`, '-gencrl', '-out', `${base}.pem`);
      return readFileSync(`${base}.pem`, 'utf8');
    },
  };
}

export interface TestCertificates { readonly ca: Authority; readonly other: Authority; readonly server: Pair; readonly second: Pair; readonly wildcard: Pair; readonly rsa: Pair; readonly client: Pair; readonly stranger: Pair }

let made: TestCertificates | null = null;
export function certificates(): TestCertificates {
  if (made !== null) return made;
  const ca = authority('ca'), other = authority('other-ca');
  return made = {
    ca, other, server: ca.issue('server', 'DNS:localhost,DNS:example.com,IP:127.0.0.1'), second: ca.issue('second', 'DNS:second.example.com'), wildcard: ca.issue('wildcard', 'DNS:*.wild.example.com'),
    rsa: ca.issue('rsa', 'DNS:localhost,DNS:example.com,IP:127.0.0.1', { rsa: true }), client: ca.issue('client', 'URI:spiffe://example.com/client,DNS:client.example.com'), stranger: other.issue('stranger', 'DNS:stranger.example.com'),
  };
}
