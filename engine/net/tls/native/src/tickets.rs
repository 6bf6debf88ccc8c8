//! Session tickets: sealed under keys that all workers derive alike, so that a ticket of one is good at any other. Each group of contexts (one policy for client
//! certificates) has keys of its own: a ticket never carries a connection past a demand for a certificate.
use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM, NONCE_LEN};
use aws_lc_rs::{digest, rand};
use rustls::server::ProducesTickets;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

const NAME: usize = 16;
const HEAD: usize = NAME + 8 + NONCE_LEN;

struct Key {
  name: [u8; NAME],
  aead: LessSafeKey,
}

pub struct Ticketer {
  /// The first one seals, all open.
  keys: Vec<Key>,
  lifetime: u32,
}

impl fmt::Debug for Ticketer {
  fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("Ticketer")
  }
}

impl Ticketer {
  /// `seeds`: secret bytes, one a key. `lifetime` in seconds.
  pub fn new(seeds: &[Vec<u8>], lifetime: u32) -> Option<Self> {
    let mut keys = Vec::new();
    for seed in seeds {
      let secret = digest::digest(&digest::SHA512, seed);
      let bytes = secret.as_ref();
      let mut name = [0u8; NAME];
      name.copy_from_slice(&bytes[32..32 + NAME]);
      keys.push(Key { name, aead: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes[..32]).ok()?) });
    }
    if keys.is_empty() {
      return None;
    }
    Some(Self { keys, lifetime })
  }
}

fn now() -> u64 {
  SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

impl ProducesTickets for Ticketer {
  fn enabled(&self) -> bool {
    true
  }
  fn lifetime(&self) -> u32 {
    self.lifetime
  }
  fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
    let key = &self.keys[0];
    let mut nonce = [0u8; NONCE_LEN];
    rand::fill(&mut nonce).ok()?;
    let mut out = Vec::with_capacity(HEAD + plain.len() + 16);
    out.extend_from_slice(&key.name);
    out.extend_from_slice(&now().to_be_bytes());
    let aad: [u8; NAME + 8] = out[..].try_into().ok()?;
    out.extend_from_slice(&nonce);
    let mut body = plain.to_vec();
    key.aead.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body).ok()?;
    out.extend_from_slice(&body);
    Some(out)
  }
  fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
    if ticket.len() < HEAD + 16 {
      return None;
    }
    let key = self.keys.iter().find(|k| k.name == ticket[..NAME])?;
    let aad: [u8; NAME + 8] = ticket[..NAME + 8].try_into().ok()?;
    let nonce: [u8; NONCE_LEN] = ticket[NAME + 8..HEAD].try_into().ok()?;
    let mut body = ticket[HEAD..].to_vec();
    let n = key.aead.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body).ok()?.len();
    body.truncate(n);
    let made = u64::from_be_bytes(aad[NAME..].try_into().ok()?);
    let age = now().checked_sub(made)?;
    (age <= u64::from(self.lifetime)).then_some(body)
  }
}
