//! Peer certificates: the chain is checked here, names and pins by the policy in JavaScript (net/tls/verify.ts), asked within the handshake so that a refusal is
//! an alert. The policy must not call into the addon.
use crate::chain::{signed_by, Roots};
use napi::bindgen_prelude::{Buffer, FnArgs, FunctionRef};
use napi::Env;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerMisbehaved, SignatureScheme};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

pub type Judge = FunctionRef<FnArgs<(Buffer, String)>, u32>;
pub type Assign = FunctionRef<FnArgs<(Buffer,)>, i32>;
thread_local! {
  /// The policy, and what says by which trust domain's authorities a leaf is checked.
  pub static JUDGE: RefCell<Option<(Env, Judge, Assign)>> = const { RefCell::new(None) };
  /// Scheme of the last signature that a peer made, 0: none.
  pub static SCHEME: Cell<u16> = const { Cell::new(0) };
}

#[derive(Debug)]
struct Refused;
impl fmt::Display for Refused {
  fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("refused by policy")
  }
}
impl std::error::Error for Refused {}

/// The policy's answer is the alert to send; 0: accepted.
fn judge(leaf: &[u8], problem: String) -> Result<(), Error> {
  let answer = JUDGE.with_borrow(|j| {
    let Some((env, f, _)) = j else { return 80 };
    f.borrow_back(env).and_then(|f| f.call(FnArgs::from((Buffer::from(leaf.to_vec()), problem)))).unwrap_or(80)
  });
  match answer {
    0 => Ok(()),
    42 => Err(CertificateError::BadEncoding.into()),
    43 => Err(CertificateError::InvalidPurpose.into()),
    // Whatever misbehaviour: an illegal_parameter.
    47 => Err(PeerMisbehaved::InvalidCertCompression.into()),
    48 => Err(CertificateError::UnknownIssuer.into()),
    45 => Err(CertificateError::Expired.into()),
    44 => Err(CertificateError::Revoked.into()),
    _ => Err(CertificateError::Other(OtherError(Arc::new(Refused))).into()),
  }
}

/// Index of the bundle for this leaf; none: none.
fn assign(leaf: &[u8]) -> Option<usize> {
  JUDGE.with_borrow(|j| {
    let (env, _, f) = j.as_ref()?;
    let i = f.borrow_back(env).and_then(|f| f.call(FnArgs::from((Buffer::from(leaf.to_vec()),)))).ok()?;
    usize::try_from(i).ok()
  })
}

pub enum Anchors {
  None,
  Roots(Roots),
  /// Of trust domains.
  Bundles(Vec<Roots>),
}
impl Anchors {
  /// '' for a good chain, and where none is checked.
  fn problem(&self, leaf: &[u8], rest: &[&[u8]], of_client: bool) -> String {
    match self {
      Self::None => None,
      Self::Roots(r) => Some(r),
      Self::Bundles(list) => assign(leaf).and_then(|i| list.get(i)),
    }
    .map(|r| r.verify(leaf, rest, of_client))
    .unwrap_or_default()
  }
  /// DER of the authorities' names.
  pub fn names(&self) -> Vec<Vec<u8>> {
    match self {
      Self::None => Vec::new(),
      Self::Roots(r) => r.names.clone(),
      Self::Bundles(list) => list.iter().flat_map(|r| r.names.clone()).collect(),
    }
  }
}

pub struct PeerVerifier {
  pub anchors: Anchors,
  pub mandatory: bool,
  pub hints: Vec<DistinguishedName>,
  pub fips: bool,
}
impl fmt::Debug for PeerVerifier {
  fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("PeerVerifier")
  }
}

const SCHEMES: [SignatureScheme; 10] = [
  SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::ECDSA_NISTP384_SHA384, SignatureScheme::RSA_PSS_SHA384,
  SignatureScheme::RSA_PKCS1_SHA384, SignatureScheme::ECDSA_NISTP521_SHA512, SignatureScheme::RSA_PSS_SHA512, SignatureScheme::RSA_PKCS1_SHA512, SignatureScheme::ED25519,
];

impl PeerVerifier {
  fn schemes(&self) -> Vec<SignatureScheme> {
    SCHEMES.iter().copied().filter(|s| !self.fips || !matches!(s, SignatureScheme::ECDSA_NISTP521_SHA512 | SignatureScheme::ED25519)).collect()
  }
  fn check(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>], of_client: bool) -> Result<(), Error> {
    let rest: Vec<&[u8]> = rest.iter().map(|c| c.as_ref()).collect();
    judge(leaf, self.anchors.problem(leaf, &rest, of_client))
  }
  fn signature(&self, message: &[u8], cert: &CertificateDer<'_>, dss: &DigitallySignedStruct, tls13: bool) -> Result<HandshakeSignatureValid, Error> {
    let scheme = u16::from(dss.scheme);
    // RFC 8446 4.2.3: no PKCS #1 in TLS 1.3.
    if (tls13 && matches!(scheme, 0x0401 | 0x0501 | 0x0601)) || !signed_by(cert, scheme, message, dss.signature()) {
      return Err(CertificateError::BadSignature.into());
    }
    SCHEME.set(scheme);
    Ok(HandshakeSignatureValid::assertion())
  }
}

impl ClientCertVerifier for PeerVerifier {
  fn offer_client_auth(&self) -> bool {
    true
  }
  fn client_auth_mandatory(&self) -> bool {
    self.mandatory
  }
  fn root_hint_subjects(&self) -> &[DistinguishedName] {
    &self.hints
  }
  fn verify_client_cert(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>], _now: UnixTime) -> Result<ClientCertVerified, Error> {
    self.check(leaf, rest, true).map(|()| ClientCertVerified::assertion())
  }
  fn verify_tls12_signature(&self, m: &[u8], c: &CertificateDer<'_>, d: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
    self.signature(m, c, d, false)
  }
  fn verify_tls13_signature(&self, m: &[u8], c: &CertificateDer<'_>, d: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
    self.signature(m, c, d, true)
  }
  fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
    self.schemes()
  }
}

impl ServerCertVerifier for PeerVerifier {
  fn verify_server_cert(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>], _name: &ServerName<'_>, _ocsp: &[u8], _now: UnixTime) -> Result<ServerCertVerified, Error> {
    self.check(leaf, rest, false).map(|()| ServerCertVerified::assertion())
  }
  fn verify_tls12_signature(&self, m: &[u8], c: &CertificateDer<'_>, d: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
    self.signature(m, c, d, false)
  }
  fn verify_tls13_signature(&self, m: &[u8], c: &CertificateDer<'_>, d: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
    self.signature(m, c, d, true)
  }
  fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
    self.schemes()
  }
}
