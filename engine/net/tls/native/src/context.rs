//! Contexts: rustls configurations made of what net/tls/rustls.ts gives.
use crate::chain::Roots;
use crate::tickets::Ticketer;
use crate::verify::{Anchors, PeerVerifier};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{aws_lc_rs as prov, CryptoProvider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache, StoresServerSessions};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DistinguishedName, KeyLog, ServerConfig, SignatureScheme};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

#[napi(object)]
pub struct CertSpec {
  /// DER, leaf first.
  pub chain: Vec<Buffer>,
  /// PKCS #8.
  pub key: Buffer,
  pub ocsp: Option<Buffer>,
  /// Seconds since 1970.
  pub staple_until: f64,
  pub must: bool,
}
/// Certificates under a name, one of each key type; the indexes are those of `certs`.
#[napi(object)]
pub struct NameSpec {
  pub name: String,
  pub certs: Vec<u32>,
}
/// Authorities (DER) of one trust domain.
#[napi(object)]
pub struct BundleSpec {
  pub ca: Vec<Buffer>,
  pub crl: Vec<Buffer>,
}
#[napi(object)]
pub struct PeerSpec {
  pub ca: Vec<Buffer>,
  pub crl: Vec<Buffer>,
  pub leaf_crl: bool,
  pub allow_expired: bool,
  pub depth: i32,
  pub hints: bool,
  /// In place of `ca`: JavaScript says by which of them a leaf is checked.
  pub bundles: Vec<BundleSpec>,
}
#[napi(object)]
pub struct ContextSpec {
  pub certs: Vec<CertSpec>,
  pub exact: Vec<NameSpec>,
  /// Names without the star: '.example.com'.
  pub wildcard: Vec<NameSpec>,
  pub unnamed: Vec<u32>,
  pub unmatched: Vec<u32>,
  pub tls12: bool,
  pub tls13: bool,
  /// rustls' names of suites, in order.
  pub suites: Vec<String>,
  /// AES-128 and ChaCha20 that stand side by side are of equal preference.
  pub grouped: bool,
  pub groups: Vec<String>,
  pub alpn: Vec<Buffer>,
  /// None: certificates are not asked for.
  pub peer: Option<PeerSpec>,
  pub mandatory: bool,
  pub require_sni: bool,
  pub prefer_client: bool,
  pub ticket_seeds: Vec<Buffer>,
  pub lifetime: u32,
  pub stateless: bool,
  pub stateful: bool,
  pub group: String,
  pub key_log: bool,
  pub sessions: u32,
  /// 0 lenient, 1 strict, 2 must.
  pub staple: u32,
  /// FIPS_202205: no ChaCha20 in TLS 1.3, and of peers' signatures only those of its list.
  pub fips: bool,
}

fn bad<E: std::fmt::Display>(e: E) -> Error {
  Error::from_reason(e.to_string())
}

thread_local! {
  /// Index of the certificate that the last hello was answered with, -1: none.
  pub static CHOSEN: Cell<i32> = const { Cell::new(-1) };
  /// The client whose hello is looked at asked for a staple; seconds since 1970.
  pub static ASKED: Cell<Option<u64>> = const { Cell::new(None) };
  pub static KEYS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
struct KeyLines;
impl KeyLog for KeyLines {
  fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
    let hex = |b: &[u8]| b.iter().map(|x| format!("{x:02x}")).collect::<String>();
    KEYS.with_borrow_mut(|k| k.push(format!("{label} {} {}", hex(client_random), hex(secret))));
  }
}

/// A certificate with its staple, and the same without.
#[derive(Debug)]
struct Shown {
  stapled: Arc<CertifiedKey>,
  bare: Arc<CertifiedKey>,
  /// The staple is good until then, in seconds since 1970; 0: there is none, or it has no end and is not shown.
  until: u64,
  must: bool,
}

/// What becomes of the staple that a client asked for; as STATUS[3] has it.
#[derive(Clone, Copy, PartialEq)]
pub enum Staple {
  Staple = 0,
  None = 1,
  Fail = 2,
}

#[derive(Debug)]
struct Choice {
  tls13: bool,
  /// Numbers of the suites of TLS 1.2 in use.
  suites: Vec<u16>,
  keys: Vec<Shown>,
  /// 0 lenient, 1 strict, 2 must.
  policy: u32,
  exact: HashMap<String, Vec<u32>>,
  wildcard: HashMap<String, Vec<u32>>,
  unnamed: Vec<u32>,
  unmatched: Vec<u32>,
}
impl Choice {
  fn exact(&self, lower: &str) -> &[u32] {
    self.exact.get(lower).map_or(&[], |v| v)
  }
  fn wildcard(&self, lower: &str) -> &[u32] {
    lower.find('.').and_then(|i| self.wildcard.get(&lower[i..])).map_or(&[], |v| v)
  }

  fn staple(&self, i: usize, now: u64) -> Staple {
    let k = &self.keys[i];
    if k.until >= now && k.until > 0 {
      Staple::Staple
    } else if k.must || self.policy == 2 || (self.policy == 1 && k.stapled.ocsp.is_some()) {
      Staple::Fail
    } else {
      Staple::None
    }
  }

  /// Of a set, ECDSA (or Ed25519) for a client that can, else RSA; none that must not be shown without a staple that it lacks.
  fn best(&self, set: &[u32], hello: &ClientHello<'_>, asked: Option<u64>) -> Option<usize> {
    let rsa = |s: SignatureScheme| matches!(u16::from(s), 0x0401 | 0x0501 | 0x0601 | 0x0201 | 0x0804..=0x0806);
    // What the suites let: those of TLS 1.2 name the kind of signature, and count where both sides have them.
    let offered = || hello.cipher_suites().iter().map(|s| u16::from(*s));
    let any = self.tls13 && offered().any(|s| matches!(s, 0x1301..=0x1303));
    let may = |of: [u16; 3]| any || offered().any(|s| of.contains(&s) && self.suites.contains(&s));
    let (may_ec, may_rsa) = (may([0xc02b, 0xc02c, 0xcca9]), may([0xc02f, 0xc030, 0xcca8]));
    let mut best = None;
    for i in set.iter().map(|&i| i as usize) {
      if asked.is_some_and(|now| self.staple(i, now) == Staple::Fail) {
        continue;
      }
      if let Some(signer) = self.keys[i].bare.key.choose_scheme(hello.signature_schemes()) {
        let is_rsa = rsa(signer.scheme());
        if !is_rsa && may_ec {
          return Some(i);
        }
        if is_rsa && may_rsa && best.is_none() {
          best = Some(i);
        }
      }
    }
    best
  }

  /// By name, exact before wildcard; then the others, or the first one. Where none fits rustls says so better with one at hand (handshake_failure) than without.
  fn pick(&self, hello: &ClientHello<'_>, asked: Option<u64>) -> usize {
    match hello.server_name() {
      None => self.best(&self.unnamed, hello, asked),
      Some(name) => {
        let lower = name.to_ascii_lowercase();
        self.best(self.exact(&lower), hello, asked).or_else(|| self.best(self.wildcard(&lower), hello, asked)).or_else(|| self.best(&self.unmatched, hello, asked))
      }
    }
    .unwrap_or(0)
  }
}
impl ResolvesServerCert for Choice {
  fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
    let asked = ASKED.get();
    let i = self.pick(&hello, asked);
    CHOSEN.set(i as i32);
    let k = self.keys.get(i)?;
    Some(if asked.is_some_and(|now| self.staple(i, now) == Staple::Staple) { &k.stapled } else { &k.bare }.clone())
  }
}

fn provider(s: &ContextSpec, first: Option<&str>) -> Arc<CryptoProvider> {
  let mut p = prov::default_provider();
  if !s.suites.is_empty() {
    let at = |name: String| s.suites.iter().position(|x| *x == name);
    p.cipher_suites.retain(|c| c.tls13().is_some() || at(format!("{:?}", c.suite())).is_some());
    p.cipher_suites.sort_by_key(|c| (c.tls13().is_none(), at(format!("{:?}", c.suite())).unwrap_or(0)));
  }
  if s.fips {
    p.cipher_suites.retain(|c| !format!("{:?}", c.suite()).contains("CHACHA20"));
  }
  if !s.tls13 {
    p.cipher_suites.retain(|c| c.tls13().is_none());
  }
  // AES-128 first of TLS 1.3, as BoringSSL.
  p.cipher_suites.sort_by_key(|c| (c.tls13().is_none(), c.tls13().is_some() && !format!("{:?}", c.suite()).contains("AES_128")));
  if let Some(kind) = first {
    // Suites of equal preference stand side by side: the client's choice of the two goes first, for each key type.
    let list = &mut p.cipher_suites;
    for i in 1..list.len() {
      let (a, b) = (format!("{:?}", list[i - 1].suite()), format!("{:?}", list[i].suite()));
      if list[i].tls13().is_none() && b.contains(kind) && !a.contains(kind) && (a.contains("AES_128") || a.contains("CHACHA20")) && a.contains("ECDSA") == b.contains("ECDSA") {
        list.swap(i - 1, i);
      }
    }
  }
  if !s.groups.is_empty() {
    let name = |g: &&dyn rustls::crypto::SupportedKxGroup| format!("{:?}", g.name());
    let at = |n: String| s.groups.iter().position(|x| *x == n);
    p.kx_groups = prov::ALL_KX_GROUPS.iter().copied().filter(|g| at(name(g)).is_some()).collect();
    p.kx_groups.sort_by_key(|g| at(name(g)));
  }
  Arc::new(p)
}

fn versions(s: &ContextSpec) -> Vec<&'static rustls::SupportedProtocolVersion> {
  let mut v = Vec::new();
  if s.tls13 {
    v.push(&rustls::version::TLS13);
  }
  if s.tls12 {
    v.push(&rustls::version::TLS12);
  }
  v
}

fn keys(s: &ContextSpec) -> Result<Vec<Shown>> {
  let p = prov::default_provider();
  s.certs
    .iter()
    .map(|c| {
      let chain = c.chain.iter().map(|d| CertificateDer::from(d.to_vec())).collect();
      let key = PrivateKeyDer::Pkcs8(c.key.to_vec().into());
      let mut k = CertifiedKey::new(chain, p.key_provider.load_private_key(key).map_err(bad)?);
      k.ocsp = c.ocsp.as_ref().map(|o| o.to_vec());
      let mut bare = k.clone();
      bare.ocsp = None;
      Ok(Shown { stapled: Arc::new(k), bare: Arc::new(bare), until: c.staple_until as u64, must: c.must })
    })
    .collect()
}

fn verifier(s: &ContextSpec) -> Result<Option<Arc<PeerVerifier>>> {
  let Some(p) = &s.peer else { return Ok(None) };
  let der = |list: &Vec<Buffer>| list.iter().map(|b| b.to_vec()).collect::<Vec<_>>();
  let roots = |ca: &Vec<Buffer>, crl: &Vec<Buffer>, leaf_crl: bool| Roots::new(&der(ca), &der(crl), leaf_crl, p.allow_expired, p.depth).ok_or_else(|| bad("the authorities cannot be loaded"));
  let anchors = match (p.bundles.is_empty(), p.ca.is_empty()) {
    (false, _) => Anchors::Bundles(p.bundles.iter().map(|b| roots(&b.ca, &b.crl, false)).collect::<Result<_>>()?),
    (true, false) => Anchors::Roots(roots(&p.ca, &p.crl, p.leaf_crl)?),
    (true, true) => Anchors::None,
  };
  let hints = if p.hints { anchors.names().into_iter().map(DistinguishedName::from).collect() } else { Vec::new() };
  Ok(Some(Arc::new(PeerVerifier { anchors, mandatory: s.mandatory, hints, fips: s.fips })))
}

/// Sessions kept by the server, shared by all workers, one store a group.
static STORES: OnceLock<Mutex<HashMap<String, Arc<ServerSessionMemoryCache>>>> = OnceLock::new();
/// BoringSSL's of a session of TLS 1.3, in seconds; session_timeout is not for those.
const TLS13_LIFETIME: u32 = 172_800;
const STORED: usize = 10_240;

pub struct Server {
  /// By what the client offers: [TLS 1.3 or the client's order, AES-128 first, ChaCha20 first], each with ALPN and without.
  configs: [[Arc<ServerConfig>; 2]; 3],
  pub alpn: Vec<Vec<u8>>,
  pub require_sni: bool,
  choice: Arc<Choice>,
}

impl Server {
  pub fn new(s: &ContextSpec) -> Result<Self> {
    let table = |l: &Vec<NameSpec>| l.iter().map(|n| (n.name.clone(), n.certs.clone())).collect::<HashMap<_, _>>();
    let suites = provider(s, None).cipher_suites.iter().filter(|c| c.tls13().is_none()).map(|c| u16::from(c.suite())).collect();
    let choice = Arc::new(Choice { tls13: s.tls13, suites, policy: s.staple, keys: keys(s)?, exact: table(&s.exact), wildcard: table(&s.wildcard), unnamed: s.unnamed.clone(), unmatched: s.unmatched.clone() });
    let verifier = verifier(s)?;
    let seeds: Vec<Vec<u8>> = s.ticket_seeds.iter().map(|b| b.to_vec()).collect();
    let storage: Arc<dyn StoresServerSessions> = if s.stateful {
      let mut m = STORES.get_or_init(Default::default).lock().map_err(bad)?;
      m.entry(s.group.clone()).or_insert_with(|| ServerSessionMemoryCache::new(STORED)).clone()
    } else {
      Arc::new(NoServerSessionStorage {})
    };
    let ticketer = |lifetime: u32| if s.stateless { Ticketer::new(&seeds, lifetime).map(Arc::new) } else { None };
    let (old, new) = (ticketer(s.lifetime), ticketer(TLS13_LIFETIME));
    let make = |first: Option<&str>, server_order: bool, alpn: bool, ticketer: &Option<Arc<Ticketer>>| -> Result<Arc<ServerConfig>> {
      let b = ServerConfig::builder_with_provider(provider(s, first)).with_protocol_versions(&versions(s)).map_err(bad)?;
      let b = match &verifier {
        Some(v) => b.with_client_cert_verifier(v.clone()),
        None => b.with_no_client_auth(),
      };
      let mut c = b.with_cert_resolver(choice.clone());
      if alpn {
        c.alpn_protocols = s.alpn.iter().map(|a| a.to_vec()).collect();
      }
      c.ignore_client_order = server_order;
      c.send_tls13_tickets = usize::from(s.stateless);
      c.session_storage = storage.clone();
      if let Some(t) = ticketer {
        c.ticketer = t.clone();
      }
      if s.key_log {
        c.key_log = Arc::new(KeyLines);
      }
      Ok(Arc::new(c))
    };
    let both = |first: Option<&str>, order: bool, t: &Option<Arc<Ticketer>>| -> Result<[Arc<ServerConfig>; 2]> { Ok([make(first, order, true, t)?, make(first, order, false, t)?]) };
    let order = !s.prefer_client;
    Ok(Self { configs: [both(None, false, &new)?, both(s.grouped.then_some("AES_128"), order, &old)?, both(s.grouped.then_some("CHACHA20"), order, &old)?], alpn: s.alpn.iter().map(|a| a.to_vec()).collect(), require_sni: s.require_sni, choice })
  }

  /// As BoringSSL: the client's order for TLS 1.3, ours for TLS 1.2 but for suites of equal preference; no common protocol is no ALPN, not an alert.
  pub fn config(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
    let suites = hello.cipher_suites();
    let which = if self.choice.tls13 && suites.iter().any(|s| (0x1301..=0x1303).contains(&u16::from(*s))) {
      0
    } else {
      let chacha = suites.iter().position(|s| matches!(u16::from(*s), 0xcca8 | 0xcca9)).unwrap_or(usize::MAX);
      let aes = suites.iter().position(|s| matches!(u16::from(*s), 0xc02b | 0xc02f)).unwrap_or(usize::MAX);
      if chacha < aes { 2 } else { 1 }
    };
    let common = hello.alpn().is_none_or(|mut offered| offered.any(|o| self.alpn.iter().any(|a| a == o)));
    self.configs[which][usize::from(!common)].clone()
  }

  pub fn knows(&self, name: Option<&str>) -> bool {
    name.is_some_and(|n| {
      let lower = n.to_ascii_lowercase();
      !self.choice.exact(&lower).is_empty() || !self.choice.wildcard(&lower).is_empty()
    })
  }

  /// What a client that asks for a staple gets.
  pub fn staple(&self, hello: &ClientHello<'_>, now: u64) -> Staple {
    self.choice.staple(self.choice.pick(hello, Some(now)), now)
  }
}

#[derive(Debug)]
struct OwnCert(Arc<CertifiedKey>);
impl ResolvesClientCert for OwnCert {
  fn resolve(&self, _hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
    self.0.key.choose_scheme(schemes).map(|_| self.0.clone())
  }
  fn has_certs(&self) -> bool {
    true
  }
}

/// A client's configurations by the ALPN list that a connection asks for; the sessions are shared by them.
pub struct Client {
  base: ClientConfig,
  pub by_alpn: HashMap<Vec<Vec<u8>>, Arc<ClientConfig>>,
  plain: HashMap<Vec<Vec<u8>>, Arc<ClientConfig>>,
}
impl Client {
  pub fn new(s: &ContextSpec) -> Result<Self> {
    let verifier = verifier(s)?.ok_or_else(|| bad("no verifier"))?;
    let b = ClientConfig::builder_with_provider(provider(s, None)).with_protocol_versions(&versions(s)).map_err(bad)?.dangerous().with_custom_certificate_verifier(verifier);
    let mut c = match keys(s)?.into_iter().next() {
      Some(k) => b.with_client_cert_resolver(Arc::new(OwnCert(k.bare))),
      None => b.with_no_client_auth(),
    };
    c.resumption = if s.sessions == 0 { Resumption::disabled() } else { Resumption::in_memory_sessions(s.sessions as usize) };
    if s.key_log {
      c.key_log = Arc::new(KeyLines);
    }
    Ok(Self { base: c, by_alpn: HashMap::new(), plain: HashMap::new() })
  }
  pub fn config(&mut self, alpn: Vec<Vec<u8>>, sni: bool) -> Arc<ClientConfig> {
    let base = &self.base;
    let map = if sni { &mut self.by_alpn } else { &mut self.plain };
    map
      .entry(alpn.clone())
      .or_insert_with(|| {
        let mut c = base.clone();
        c.alpn_protocols = alpn;
        c.enable_sni = sni;
        Arc::new(c)
      })
      .clone()
  }
}
