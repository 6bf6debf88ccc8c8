//! TLS as a byte transform for net/tls/rustls.ts: sessions in a slab of each thread; ciphertext goes to OUT, plaintext to PLAIN, numbers to STATUS, three buffers
//! that the thread gave at `init` and that are referenced for its life. One call in, one answer out; nothing blocks, nothing calls back but the certificate policy.
mod chain;
mod context;
mod hello;
mod tickets;
mod verify;

use context::{Client, ContextSpec, Server, Staple, ASKED, CHOSEN, KEYS};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use rustls::pki_types::ServerName;
use rustls::server::Acceptor;
use rustls::{ClientConnection, Connection, ServerConnection};
use hello::asks_status;
use std::cell::RefCell;
use std::io::{Read, Write};
use verify::{JUDGE, SCHEME};

const OUT: usize = 320 * 1024;
const PLAIN: usize = 128 * 1024;

enum Inner {
  /// A server that has not read the hello yet, and what it has read of it.
  Hello(Box<Acceptor>, u32, Vec<u8>),
  Open(Box<Connection>),
  Dead,
}
struct Session {
  inner: Inner,
  up: bool,
  chosen: i32,
  scheme: u16,
  /// When the connection was accepted, seconds since 1970.
  now: u64,
  asked: bool,
  fault: String,
}
enum Context {
  Server(Box<Server>),
  Client(Box<Client>),
  Gone,
}
struct Thread {
  contexts: Vec<Context>,
  slab: Vec<Option<Session>>,
  free: Vec<u32>,
  out: *mut u8,
  plain: *mut u8,
  status: *mut i32,
}
thread_local! {
  static T: RefCell<Thread> = const { RefCell::new(Thread { contexts: Vec::new(), slab: Vec::new(), free: Vec::new(), out: std::ptr::null_mut(), plain: std::ptr::null_mut(), status: std::ptr::null_mut() }) };
}

fn bad<E: std::fmt::Display>(e: E) -> Error {
  Error::from_reason(e.to_string())
}

#[napi]
pub fn init(env: Env, mut out: Buffer, mut plain: Buffer, mut status: Buffer, judge: Function<FnArgs<(Buffer, String)>, u32>, assign: Function<FnArgs<(Buffer,)>, i32>) -> Result<()> {
  if out.len() < OUT || plain.len() < PLAIN || status.len() < 16 {
    return Err(bad("scratch too small"));
  }
  T.with_borrow_mut(|t| {
    t.out = out.as_mut_ptr();
    t.plain = plain.as_mut_ptr();
    t.status = status.as_mut_ptr().cast();
  });
  JUDGE.set(Some((env, judge.create_ref()?, assign.create_ref()?)));
  // References for the life of the thread: the pointers above must not dangle.
  std::mem::forget((out, plain, status));
  Ok(())
}

fn add(c: Context) -> u32 {
  T.with_borrow_mut(|t| {
    if let Some(i) = t.contexts.iter().position(|x| matches!(x, Context::Gone)) {
      t.contexts[i] = c;
      return i as u32;
    }
    t.contexts.push(c);
    t.contexts.len() as u32 - 1
  })
}
#[napi(catch_unwind)]
pub fn server_context(s: ContextSpec) -> Result<u32> {
  Ok(add(Context::Server(Box::new(Server::new(&s)?))))
}
#[napi(catch_unwind)]
pub fn client_context(s: ContextSpec) -> Result<u32> {
  Ok(add(Context::Client(Box::new(Client::new(&s)?))))
}
/// Lets a context go; its sessions keep what they need.
#[napi]
pub fn free_context(id: u32) {
  T.with_borrow_mut(|t| {
    if let Some(c) = t.contexts.get_mut(id as usize) {
      *c = Context::Gone;
    }
  })
}

impl Thread {
  fn put(&mut self, inner: Inner, now: f64) -> u32 {
    let s = Some(Session { inner, up: false, chosen: -1, scheme: 0, now: now as u64, asked: false, fault: String::new() });
    match self.free.pop() {
      Some(i) => {
        self.slab[i as usize] = s;
        i
      }
      None => {
        self.slab.push(s);
        self.slab.len() as u32 - 1
      }
    }
  }
  fn out(&self) -> &'static mut [u8] {
    unsafe { std::slice::from_raw_parts_mut(self.out, OUT) }
  }
}

#[napi(catch_unwind)]
pub fn accept(context: u32, now_s: f64) -> u32 {
  T.with_borrow_mut(|t| t.put(Inner::Hello(Box::default(), context, Vec::new()), now_s))
}

/// A client's session; its hello is in OUT, STATUS[0] bytes. `name` '' asks for no server.
#[napi(catch_unwind)]
pub fn connect(context: u32, name: String, alpn: Vec<Buffer>) -> Result<u32> {
  T.with_borrow_mut(|t| {
    let Some(Context::Client(c)) = t.contexts.get_mut(context as usize) else { return Err(bad("no such context")) };
    let nobody = ServerName::try_from("0.0.0.0").map_err(bad)?;
    let asked = if name.is_empty() { None } else { ServerName::try_from(name).ok() };
    let config = c.config(alpn.iter().map(|a| a.to_vec()).collect(), asked.is_some());
    let mut conn = ClientConnection::new(config, asked.unwrap_or(nobody)).map_err(bad)?;
    conn.set_buffer_limit(None);
    let mut conn = Connection::from(conn);
    let n = flush(&mut conn, t.out());
    unsafe { *t.status = n as i32 };
    Ok(t.put(Inner::Open(Box::new(conn)), 0.0))
  })
}

#[napi(catch_unwind)]
pub fn close(id: u32) {
  let gone = T.with_borrow_mut(|t| {
    let gone = t.slab.get_mut(id as usize).and_then(Option::take);
    if gone.is_some() {
      t.free.push(id);
    }
    gone
  });
  drop(gone);
}

const SECURED: i32 = 1;
const CLOSED: i32 = 2;
const FAULT: i32 = 4;
const KEY_LINES: i32 = 8;
/// A client asked for a staple: STATUS[3] is what it gets.
const STAPLE: i32 = 16;

/// Takes ciphertext from `start`: STATUS = [bytes in OUT, bytes in PLAIN, bytes taken]. What does not fit PLAIN is left: call again from where it stopped.
#[napi(catch_unwind)]
pub fn receive(id: u32, data: BufferSlice, start: u32, end: u32) -> i32 {
  T.with_borrow_mut(|t| {
    let status = unsafe { std::slice::from_raw_parts_mut(t.status, 4) };
    let (out, plain) = (t.out(), unsafe { std::slice::from_raw_parts_mut(t.plain, PLAIN) });
    status[..3].fill(0);
    let Thread { slab, contexts, .. } = t;
    let Some(Some(s)) = slab.get_mut(id as usize) else { return FAULT };
    let all = data.get(start as usize..end as usize).unwrap_or(&[]);
    let mut rd = all;
    let (mut o, mut p, mut flags) = (0, 0, 0);
    if let Inner::Hello(acceptor, context, seen) = &mut s.inner {
      let Some(Context::Server(server)) = contexts.get(*context as usize) else { return FAULT };
      let mut staple = None;
      let opened = hello(acceptor, server, seen, s.now, &mut staple, &mut rd, out, &mut o);
      if let Some(outcome) = staple {
        s.asked = true;
        status[3] = outcome as i32;
        flags |= STAPLE;
      }
      match opened {
        Ok(None) => {}
        Ok(Some(c)) => {
          s.chosen = CHOSEN.get();
          s.inner = Inner::Open(c);
        }
        Err(e) => {
          s.fault = e;
          s.inner = Inner::Dead;
          flags |= FAULT;
        }
      }
    }
    if let Inner::Open(c) = &mut s.inner {
      SCHEME.set(0);
      // A second hello, after a retry, chooses again.
      ASKED.set((s.asked && !s.up).then_some(s.now));
      loop {
        if p + 65_536 > PLAIN || flags & FAULT != 0 {
          break;
        }
        if !rd.is_empty() && !matches!(c.read_tls(&mut rd), Ok(n) if n > 0) {
          s.fault = "ENCRYPTED_LENGTH_TOO_LONG".into();
          flags |= FAULT;
          break;
        }
        match c.process_new_packets() {
          Ok(io) => {
            let n = io.plaintext_bytes_to_read();
            if n > 0 {
              match plain.get_mut(p..p + n).map(|b| c.reader().read_exact(b)) {
                Some(Ok(())) => p += n,
                _ => {
                  s.fault = "DATA_LENGTH_TOO_LONG".into();
                  flags |= FAULT;
                }
              }
            }
            if io.peer_has_closed() {
              flags |= CLOSED;
              break;
            }
          }
          Err(e) => {
            s.fault = reason(&e);
            flags |= FAULT;
          }
        }
        if rd.is_empty() {
          break;
        }
      }
      if SCHEME.get() != 0 {
        s.scheme = SCHEME.get();
      }
      if !s.up && !c.is_handshaking() && flags & FAULT == 0 {
        s.up = true;
        flags |= SECURED;
      }
      o += flush(c, &mut out[o..]);
    }
    if KEYS.with_borrow(|k| !k.is_empty()) {
      flags |= KEY_LINES;
    }
    status[0] = o as i32;
    status[1] = p as i32;
    status[2] = (all.len() - rd.len()) as i32;
    flags
  })
}

/// The first flight of a client: chooses the configuration once its hello is whole.
#[allow(clippy::too_many_arguments)]
fn hello(acceptor: &mut Acceptor, server: &Server, seen: &mut Vec<u8>, now: u64, staple: &mut Option<Staple>, rd: &mut &[u8], out: &mut [u8], o: &mut usize) -> std::result::Result<Option<Box<Connection>>, String> {
  let all = *rd;
  while !rd.is_empty() {
    if !matches!(acceptor.read_tls(rd), Ok(n) if n > 0) {
      return Err("EXCESSIVE_MESSAGE_SIZE".into());
    }
    let accepted = match acceptor.accept() {
      Ok(None) => continue,
      Ok(Some(a)) => a,
      Err((e, mut alert)) => {
        *o += alert.write(&mut &mut out[*o..]).unwrap_or(0);
        return Err(reason(&e));
      }
    };
    let read = &all[..all.len() - rd.len()];
    let asks = if seen.is_empty() {
      asks_status(read)
    } else {
      seen.extend_from_slice(read);
      asks_status(seen)
    };
    let (config, refused) = {
      let h = accepted.client_hello();
      let refused = server.require_sni && !server.knows(h.server_name());
      if asks && !refused {
        *staple = Some(server.staple(&h, now));
      }
      (server.config(&h), refused)
    };
    if *staple == Some(Staple::Fail) {
      // handshake_failure.
      out[*o..*o + 7].copy_from_slice(&[21, 3, 3, 0, 2, 2, 40]);
      *o += 7;
      return Err("CONNECTION_REJECTED".into());
    }
    if refused {
      // RFC 6066 3: unrecognized_name.
      out[*o..*o + 7].copy_from_slice(&[21, 3, 3, 0, 2, 2, 112]);
      *o += 7;
      return Err("CLIENTHELLO_TLSEXT".into());
    }
    CHOSEN.set(-1);
    ASKED.set(asks.then_some(now));
    return match accepted.into_connection(config) {
      Ok(mut c) => {
        c.set_buffer_limit(None);
        Ok(Some(Box::new(Connection::from(c as ServerConnection))))
      }
      Err((e, mut alert)) => {
        *o += alert.write(&mut &mut out[*o..]).unwrap_or(0);
        Err(reason(&e))
      }
    };
  }
  seen.extend_from_slice(all);
  Ok(None)
}

/// BoringSSL's name of an error; 'ALERT n' for one that the peer sent.
fn reason(e: &rustls::Error) -> String {
  use rustls::{Error as E, InvalidMessage as M, PeerIncompatible as P};
  match e {
    E::AlertReceived(a) => return format!("ALERT {}", u8::from(*a)),
    E::NoCertificatesPresented => "PEER_DID_NOT_RETURN_A_CERTIFICATE",
    E::InvalidCertificate(rustls::CertificateError::BadSignature) => "BAD_SIGNATURE",
    E::InvalidCertificate(_) => "CERTIFICATE_VERIFY_FAILED",
    E::PeerIncompatible(p) => match p {
      P::NoCipherSuitesInCommon => "NO_SHARED_CIPHER",
      P::NoSignatureSchemesInCommon | P::NoCertificateRequestSignatureSchemesInCommon => "NO_COMMON_SIGNATURE_ALGORITHMS",
      P::NoKxGroupsInCommon => "NO_SHARED_GROUP",
      P::Tls12NotOffered | P::Tls12NotOfferedOrEnabled | P::SupportedVersionsExtensionRequired | P::ServerDoesNotSupportTls12Or13 | P::ServerTlsVersionIsDisabledByOurConfig => "UNSUPPORTED_PROTOCOL",
      _ => "NO_SHARED_CIPHER",
    },
    E::InvalidMessage(M::InvalidContentType | M::UnknownProtocolVersion) => "WRONG_VERSION_NUMBER",
    E::InvalidMessage(M::MessageTooLarge | M::HandshakePayloadTooLarge | M::CertificatePayloadTooLarge) => "EXCESSIVE_MESSAGE_SIZE",
    E::InvalidMessage(_) => "DECODE_ERROR",
    E::DecryptError => "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    E::PeerSentOversizedRecord => "ENCRYPTED_LENGTH_TOO_LONG",
    E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => "UNEXPECTED_MESSAGE",
    E::NoApplicationProtocol => "NO_APPLICATION_PROTOCOL",
    E::PeerMisbehaved(_) => "UNEXPECTED_MESSAGE",
    E::General(g) if g.contains("no server certificate chain resolved") => "NO_SHARED_CIPHER",
    _ => "INTERNAL_ERROR",
  }
  .into()
}

fn flush(c: &mut Connection, out: &mut [u8]) -> usize {
  let mut o = 0;
  while c.wants_write() && o < out.len() {
    match c.write_tls(&mut &mut out[o..]) {
      Ok(0) | Err(_) => break,
      Ok(n) => o += n,
    }
  }
  o
}

/// Encrypts into OUT; the number of bytes there, -1 where the session is over. At most 256 KiB at a time.
#[napi(catch_unwind)]
pub fn send(id: u32, data: BufferSlice, start: u32, end: u32) -> i32 {
  T.with_borrow_mut(|t| {
    let out = t.out();
    let Some(Some(Session { inner: Inner::Open(c), .. })) = t.slab.get_mut(id as usize) else { return -1 };
    let all = data.get(start as usize..end as usize).unwrap_or(&[]);
    match c.writer().write(all) {
      Ok(n) if n == all.len() => flush(c, out) as i32,
      _ => -1,
    }
  })
}

/// close_notify into OUT.
#[napi(catch_unwind)]
pub fn end(id: u32) -> i32 {
  T.with_borrow_mut(|t| {
    let out = t.out();
    let Some(Some(Session { inner: Inner::Open(c), .. })) = t.slab.get_mut(id as usize) else { return 0 };
    c.send_close_notify();
    flush(c, out) as i32
  })
}

#[napi]
pub fn fault(id: u32) -> String {
  T.with_borrow(|t| t.slab.get(id as usize).and_then(|s| s.as_ref()).map(|s| s.fault.clone()).unwrap_or_default())
}

#[napi]
pub fn key_lines() -> Vec<String> {
  KEYS.take()
}

#[napi(object)]
pub struct Info {
  pub alpn: String,
  pub sni: String,
  pub version: u32,
  pub suite: u32,
  pub group: u32,
  pub scheme: u32,
  pub resumed: bool,
  pub chosen: i32,
  pub peer: Vec<Buffer>,
}
#[napi(catch_unwind)]
pub fn info(id: u32) -> Option<Info> {
  T.with_borrow(|t| {
    let s = t.slab.get(id as usize)?.as_ref()?;
    let Inner::Open(c) = &s.inner else { return None };
    let sni = match &**c {
      Connection::Server(v) => v.server_name().unwrap_or("").to_string(),
      Connection::Client(_) => String::new(),
    };
    Some(Info {
      alpn: c.alpn_protocol().map(|a| a.iter().map(|&b| b as char).collect()).unwrap_or_default(),
      sni,
      version: c.protocol_version().map_or(0, |v| u32::from(u16::from(v))),
      suite: c.negotiated_cipher_suite().map_or(0, |v| u32::from(u16::from(v.suite()))),
      group: c.negotiated_key_exchange_group().map_or(0, |g| u32::from(u16::from(g.name()))),
      scheme: u32::from(s.scheme),
      resumed: c.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
      chosen: s.chosen,
      peer: c.peer_certificates().map(|v| v.iter().map(|d| Buffer::from(d.as_ref())).collect()).unwrap_or_default(),
    })
  })
}
