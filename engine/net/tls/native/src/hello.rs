//! What rustls does not tell of a ClientHello.

/// Whether the hello in these records asks for a certificate's status (RFC 6066 8). What cannot be read asks for nothing: rustls has judged it before.
pub fn asks_status(records: &[u8]) -> bool {
  status(records).unwrap_or(false)
}

fn status(mut records: &[u8]) -> Option<bool> {
  let one = take(&mut records.get(3..)?, 2)?;
  let message;
  let mut b: &[u8] = if one.len() >= 4 && one.len() >= 4 + usize::from(u16::from_be_bytes([one[2], one[3]])) {
    one
  } else {
    let mut all = Vec::new();
    while records.len() > 5 {
      records = records.get(3..)?;
      all.extend_from_slice(take(&mut records, 2)?);
    }
    message = all;
    &message
  };
  // Type and length, version, random.
  b = b.get(4 + 2 + 32..)?;
  take(&mut b, 1)?;
  take(&mut b, 2)?;
  take(&mut b, 1)?;
  let mut list = take(&mut b, 2)?;
  while list.len() >= 4 {
    let kind = [list[0], list[1]];
    list = &list[2..];
    take(&mut list, 2)?;
    if kind == [0, 5] {
      return Some(true);
    }
  }
  Some(false)
}

/// Bytes behind a length of `n` bytes, which are taken off.
fn take<'a>(b: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
  let len = b.get(..n)?.iter().fold(0usize, |l, &x| l << 8 | usize::from(x));
  let body = b.get(n..n + len)?;
  *b = &b[n + len..];
  Some(body)
}
