//! Certificate chains, checked by AWS-LC's X509_verify_cert: the same rules as BoringSSL's, by which Envoy checks (self-signed leaves that are trusted, version 1
//! certificates, intermediate authorities as anchors, CRLs). All pointers are owned here and freed once.
use aws_lc_sys as c;
use std::ffi::CStr;
use std::os::raw::{c_int, c_ulong};
use std::ptr;

pub struct Roots {
  store: *mut c::X509_STORE,
  flags: c_ulong,
  depth: c_int,
  /// DER of the authorities' names, for the certificate request.
  pub names: Vec<Vec<u8>>,
}
// A store is read-only once built, and AWS-LC's reference counts and lookups are thread-safe.
unsafe impl Send for Roots {}
unsafe impl Sync for Roots {}

struct Cert(*mut c::X509);
impl Drop for Cert {
  fn drop(&mut self) {
    unsafe { c::X509_free(self.0) }
  }
}
fn parse(der: &[u8]) -> Option<Cert> {
  let mut at = der.as_ptr();
  let x = unsafe { c::d2i_X509(ptr::null_mut(), &mut at, der.len() as _) };
  (!x.is_null()).then_some(Cert(x))
}

const CRL_CHECK: c_ulong = 0x4;
const CRL_CHECK_ALL: c_ulong = 0x8;
const PARTIAL_CHAIN: c_ulong = 0x80000;
const NO_CHECK_TIME: c_ulong = 0x200000;

impl Roots {
  pub fn new(ca: &[Vec<u8>], crls: &[Vec<u8>], leaf_crl: bool, allow_expired: bool, depth: i32) -> Option<Self> {
    unsafe {
      let store = c::X509_STORE_new();
      if store.is_null() {
        return None;
      }
      let mut roots = Self { store, flags: PARTIAL_CHAIN, depth, names: Vec::new() };
      for der in ca {
        let x = parse(der)?;
        c::X509_STORE_add_cert(store, x.0);
        let name = c::X509_get_subject_name(x.0);
        let n = c::i2d_X509_NAME(name, ptr::null_mut());
        if n > 0 {
          let mut out = vec![0u8; n as usize];
          let mut at = out.as_mut_ptr();
          c::i2d_X509_NAME(name, &mut at);
          roots.names.push(out);
        }
      }
      for der in crls {
        let mut at = der.as_ptr();
        let crl = c::d2i_X509_CRL(ptr::null_mut(), &mut at, der.len() as _);
        if crl.is_null() {
          return None;
        }
        c::X509_STORE_add_crl(store, crl);
        c::X509_CRL_free(crl);
      }
      if !crls.is_empty() {
        roots.flags |= CRL_CHECK | if leaf_crl { 0 } else { CRL_CHECK_ALL };
      }
      if allow_expired {
        roots.flags |= NO_CHECK_TIME;
      }
      Some(roots)
    }
  }

  /// '' for a good chain, else 'certificate verification error at depth N: …' as Envoy has it.
  pub fn verify(&self, leaf: &[u8], rest: &[&[u8]], of_client: bool) -> String {
    unsafe {
      let Some(leaf) = parse(leaf) else { return "certificate cannot be parsed".into() };
      let untrusted = c::OPENSSL_sk_new_null();
      let mut held = Vec::new();
      for der in rest {
        if let Some(x) = parse(der) {
          c::OPENSSL_sk_push(untrusted, x.0 as *mut _);
          held.push(x);
        }
      }
      let ctx = c::X509_STORE_CTX_new();
      let mut out = String::new();
      if c::X509_STORE_CTX_init(ctx, self.store, leaf.0, untrusted as *mut _) == 1 {
        let purpose: &CStr = if of_client { c"ssl_client" } else { c"ssl_server" };
        c::X509_STORE_CTX_set_default(ctx, purpose.as_ptr());
        c::X509_STORE_CTX_set_flags(ctx, self.flags);
        if self.depth >= 0 {
          c::X509_VERIFY_PARAM_set_depth(c::X509_STORE_CTX_get0_param(ctx), self.depth);
        }
        if c::X509_verify_cert(ctx) != 1 {
          let code = c::X509_STORE_CTX_get_error(ctx);
          let text = CStr::from_ptr(c::X509_verify_cert_error_string(code as _)).to_string_lossy();
          out = format!("certificate verification error at depth {}: {}", c::X509_STORE_CTX_get_error_depth(ctx), text);
        }
      } else {
        out = "certificate verification could not begin".into();
      }
      c::X509_STORE_CTX_free(ctx);
      c::OPENSSL_sk_free(untrusted);
      c::ERR_clear_error();
      out
    }
  }
}

impl Drop for Roots {
  fn drop(&mut self) {
    unsafe { c::X509_STORE_free(self.store) }
  }
}

/// Whether `signature` over `message` is by the certificate's key, for a TLS signature scheme (RFC 8446 4.2.3). Any certificate version.
pub fn signed_by(cert: &[u8], scheme: u16, message: &[u8], signature: &[u8]) -> bool {
  unsafe {
    let Some(x) = parse(cert) else { return false };
    let key = c::X509_get_pubkey(x.0);
    if key.is_null() {
      return false;
    }
    let digest = match scheme {
      0x0401 | 0x0403 | 0x0804 | 0x0809 => c::EVP_sha256(),
      0x0501 | 0x0503 | 0x0805 | 0x080a => c::EVP_sha384(),
      0x0601 | 0x0603 | 0x0806 | 0x080b => c::EVP_sha512(),
      0x0807 => ptr::null(),
      _ => {
        c::EVP_PKEY_free(key);
        return false;
      }
    };
    let kind = c::EVP_PKEY_id(key);
    let fits = match scheme {
      0x0403 | 0x0503 | 0x0603 => kind == c::EVP_PKEY_EC,
      0x0807 => kind == c::EVP_PKEY_ED25519,
      _ => kind == c::EVP_PKEY_RSA,
    };
    let ctx = c::EVP_MD_CTX_new();
    let mut pctx = ptr::null_mut();
    let mut good = fits && c::EVP_DigestVerifyInit(ctx, &mut pctx, digest, ptr::null_mut(), key) == 1;
    if good && (0x0804..=0x0806).contains(&scheme) {
      good = c::EVP_PKEY_CTX_set_rsa_padding(pctx, c::RSA_PKCS1_PSS_PADDING) == 1 && c::EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, -1) == 1;
    }
    good = good && c::EVP_DigestVerify(ctx, signature.as_ptr(), signature.len(), message.as_ptr(), message.len()) == 1;
    c::EVP_MD_CTX_free(ctx);
    c::EVP_PKEY_free(key);
    c::ERR_clear_error();
    good
  }
}
