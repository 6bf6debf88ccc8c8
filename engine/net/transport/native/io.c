// Reading, writing, accepting, and carrying out what JavaScript has asked for.
#include "transport.h"
#include <netinet/in.h>
#include <netinet/tcp.h>

static void fail(transport_t *t, uint32_t slot, int error) { t->slots[slot].flags |= F_ERROR; t->slots[slot].error = (uint32_t)error; attend(t, slot); }

static int queue_append(slot_t *s, const void *bytes, size_t n) {
  if (s->queue_at && s->queue_at + s->queue_length + n > s->queue_size) { memmove(s->queue, s->queue + s->queue_at, s->queue_length); s->queue_at = 0; }
  if (s->queue_length + n > s->queue_size) {
    size_t size = s->queue_size ? s->queue_size : 4096;
    while (size < s->queue_length + n) size *= 2;
    char *q = size > 1u << 30 ? NULL : realloc(s->queue, size);
    if (!q) return -1;
    s->queue = q; s->queue_size = (uint32_t)size;
  }
  memcpy(s->queue + s->queue_at + s->queue_length, bytes, n); s->queue_length += (uint32_t)n;
  return 0;
}

// Sends, and keeps a copy of what the kernel did not take: the slabs are free afterwards.
void send_all(transport_t *t, uint32_t slot, struct iovec *v, int n) {
  slot_t *s = &t->slots[slot]; size_t total = 0, sent = 0;
  for (int i = 0; i < n; i++) total += v[i].iov_len;
  if (s->flags & (F_ENDING | F_CLOSING | F_ERROR) || !total) return;
  if (!s->queue_length && !(s->flags & F_CONNECTING)) {
    struct msghdr m = { .msg_iov = v, .msg_iovlen = (size_t)n }; ssize_t k;
    char gathered[SMALL_SEND]; struct iovec one = { gathered, 0 };
    if (n > 1 && total <= sizeof gathered) {
      for (int i = 0; i < n; i++) { memcpy(gathered + one.iov_len, v[i].iov_base, v[i].iov_len); one.iov_len += v[i].iov_len; }
      v = &one; n = 1;
    }
    do k = n == 1 ? send(s->fd, v->iov_base, v->iov_len, MSG_NOSIGNAL) : sendmsg(s->fd, &m, MSG_NOSIGNAL); while (k < 0 && errno == EINTR);
    if (k < 0 && errno != EAGAIN) { fail(t, slot, errno); return; }
    if ((sent = k < 0 ? 0 : (size_t)k) == total) return;
  }
  for (int i = 0; i < n; i++) {
    size_t l = v[i].iov_len;
    if (sent >= l) { sent -= l; continue; }
    if (queue_append(s, (char *)v[i].iov_base + sent, l - sent)) { fail(t, slot, ENOMEM); return; }
    sent = 0;
  }
  if (!(s->flags & F_BLOCKED) && s->queue_length > s->high) { s->flags |= F_BLOCKED | F_NOTE; attend(t, slot); }
}

// The socket takes bytes again.
void queue_flush(transport_t *t, uint32_t slot) {
  slot_t *s = &t->slots[slot];
  while (s->queue_length) {
    ssize_t k = send(s->fd, s->queue + s->queue_at, s->queue_length, MSG_NOSIGNAL);
    if (k < 0) { if (errno == EINTR) continue; if (errno != EAGAIN) fail(t, slot, errno); break; }
    s->queue_at += (uint32_t)k; s->queue_length -= (uint32_t)k;
  }
  if (!s->queue_length) {
    free(s->queue); s->queue = NULL; s->queue_at = s->queue_size = 0;
    if (s->flags & F_CLOSING) { slot_free(t, slot); return; }
    if (s->flags & F_ENDING) shutdown(s->fd, SHUT_WR);
  }
  if (s->flags & F_BLOCKED && s->queue_length <= s->high / 2 && !(s->flags & F_ERROR)) { s->flags &= ~(uint32_t)(F_BLOCKED | F_NOTE); emit(t, slot, E_DRAIN, 0, 0); }
}

// Takes an accepted connection in, for the listener in slot `listener`; closed where there is no memory. There is room for its event and address.
int adopt(transport_t *t, int fd, uint32_t listener, member_t *m, const struct sockaddr_storage *peer) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  uint32_t n = slot_new(t, fd, 0);
  if (n == NO_SLOT) { close(fd); if (m) member_release(m); return 0; }
  t->slots[n].member = m;
  t->receive_at = (t->receive_at + 7) & ~7u;
  memcpy(t->receive + t->receive_at, peer, sizeof *peer);
  // The record's length word carries the listener; the peer's raw address lies in the slab.
  emit(t, n, E_ACCEPT, t->receive_at, listener); t->receive_at += sizeof *peer;
  return 1;
}

static void accept_some(transport_t *t, uint32_t slot) {
  uint32_t most = t->slots[slot].accepts ? t->slots[slot].accepts : 64;
  for (uint32_t i = 0; i < most; i++) {
    if (t->event_count + 8 > t->event_size || t->receive_size - t->receive_at < MIN_READ) return; // level-triggered: the rest in the next turn
    struct sockaddr_storage a; socklen_t l = sizeof a;
    int fd = accept4(t->slots[slot].fd, (void *)&a, &l, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN) { // out of descriptors or memory: not asked again until a socket is freed or some time has passed, so this cannot spin
        struct epoll_event e = { .events = 0, .data.u64 = (uint64_t)(t->slots[slot].generation & 0xffffff) << 32 | slot };
        epoll_ctl(t->epoll, EPOLL_CTL_MOD, t->slots[slot].fd, &e);
        t->slots[slot].flags |= F_STALLED; t->stalled = 1;
        uv_timer_start(t->retry, on_retry, ACCEPT_RETRY_MS, 0);
      }
      return;
    }
    member_t *m = t->slots[slot].member, *to = m ? member_choose(m) : NULL;
    if (to != m && hand_over(to, fd, &a)) continue;
    adopt(t, fd, slot, to == m ? m : NULL, &a);
  }
}

static void read_some(transport_t *t, uint32_t slot) {
  slot_t *s = &t->slots[slot];
  for (;;) {
    uint32_t want = t->receive_size - t->receive_at;
    if (want > READ_CHUNK) want = READ_CHUNK;
    if (want < MIN_READ || t->event_count + 8 > t->event_size) { attend(t, slot); return; }
    ssize_t r = recv(s->fd, t->receive + t->receive_at, want, 0);
    if (r > 0) {
      emit(t, slot, E_DATA, t->receive_at, (uint32_t)r); t->receive_at += (uint32_t)r;
      if ((uint32_t)r == want) { attend(t, slot); return; } // the rest in the next turn: fairness
      if (!(s->flags & F_HUP)) { s->flags &= ~(uint32_t)F_READ; return; } // a short read empties the socket; the edge comes again
    } else if (r == 0) { s->flags = (s->flags & ~(uint32_t)F_READ) | F_EOF; emit(t, slot, E_EOF, 0, 0); return; }
    else if (errno == EAGAIN) { s->flags &= ~(uint32_t)F_READ; return; }
    else if (errno != EINTR) { int e = errno; emit(t, slot, E_CLOSE, (uint32_t)e, 0); slot_free(t, slot); return; }
  }
}

// Acts on a socket's flags; there is room for 4 events.
void service(transport_t *t, uint32_t slot) {
  slot_t *s = &t->slots[slot];
  if (s->fd < 0) return;
  if (t->event_count + 8 > t->event_size) { attend(t, slot); return; }
  if (s->flags & F_LISTEN) { if (!(s->flags & (F_PAUSED | F_STALLED))) accept_some(t, slot); return; }
  if (s->flags & F_ERROR) { emit(t, slot, E_CLOSE, s->error, 0); slot_free(t, slot); return; }
  if (s->flags & F_OUT) {
    s->flags &= ~(uint32_t)F_OUT;
    if (s->flags & F_CONNECTING) {
      int e = socket_error(s->fd);
      if (e) { emit(t, slot, E_CLOSE, (uint32_t)e, 0); slot_free(t, slot); return; }
      s->flags &= ~(uint32_t)F_CONNECTING; emit(t, slot, E_CONNECT, 0, 0);
      if (!s->queue_length && s->flags & F_CLOSING) { slot_free(t, slot); return; }
      if (!s->queue_length && s->flags & F_ENDING) shutdown(s->fd, SHUT_WR);
    }
    if (s->queue_length) { uint32_t g = s->generation; queue_flush(t, slot); if (s->fd < 0 || s->generation != g || s->flags & F_ERROR) return; }
  }
  if (s->flags & F_NOTE) { s->flags &= ~(uint32_t)F_NOTE; emit(t, slot, E_BLOCK, s->queue_length, 0); }
  if (s->flags & F_READ && !(s->flags & (F_PAUSED | F_EOF | F_CLOSING | F_CONNECTING))) read_some(t, slot);
}

// A socket that is paused in the turn in which its end has come: that edge does not come again, and nobody reads, so a reset is asked for here.
static void look_for_reset(transport_t *t, uint32_t slot) {
  int error = socket_error(t->slots[slot].fd);
  if (error) fail(t, slot, error);
}

static void finish(transport_t *t, uint32_t slot, int op) {
  slot_t *s = &t->slots[slot];
  switch (op) {
    case C_END:
      if (s->flags & (F_ENDING | F_CLOSING)) break;
      s->flags |= F_ENDING;
      if (!s->queue_length && !(s->flags & F_CONNECTING)) shutdown(s->fd, SHUT_WR);
      break;
    case C_CLOSE: if (s->queue_length && !(s->flags & F_ERROR)) s->flags |= F_CLOSING; else slot_free(t, slot); break;
    case C_NOW: slot_free(t, slot); break;
    case C_RESET: { struct linger l = { 1, 0 }; setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l); slot_free(t, slot); break; }
    case C_PAUSE: s->flags |= F_PAUSED; if (s->flags & F_HUP && !(s->flags & F_CONNECTING)) look_for_reset(t, slot); break;
    case C_RESUME: s->flags &= ~(uint32_t)F_PAUSED; if (s->flags & F_READ) attend(t, slot); break;
    default: break;
  }
}

// The commands of a turn. Sends of one socket that follow each other become one system call.
void carry_out(transport_t *t) {
  int32_t n = t->commands[0], *k = t->commands + 4, i = 0; struct iovec v[MAX_IOVS];
  if (n < 0 || (uint32_t)n > t->command_size) n = 0;
  while (i < n) {
    int32_t *c = k + 4 * i++; uint32_t slot = (uint32_t)c[0]; int op = c[1] & 255;
    slot_t *s = slot_of(t, slot, (uint32_t)c[1] >> 8);
    if (!s || s->flags & F_LISTEN) continue;
    if (op != C_SEND && op != C_FORWARD) { finish(t, slot, op); continue; }
    int nv = 0; i--;
    while (i < n && nv < MAX_IOVS && k[4 * i] == c[0] && (k[4 * i + 1] & ~255) == (c[1] & ~255) && ((k[4 * i + 1] & 255) == C_SEND || (k[4 * i + 1] & 255) == C_FORWARD)) {
      int32_t *x = k + 4 * i++; int forward = (x[1] & 255) == C_FORWARD;
      uint32_t offset = (uint32_t)x[2], length = (uint32_t)x[3], size = forward ? t->receive_size : t->send_size;
      if (length > size || offset > size - length) continue;
      uint8_t *base = (forward ? t->receive : t->send) + offset;
      if (nv && (uint8_t *)v[nv - 1].iov_base + v[nv - 1].iov_len == base) v[nv - 1].iov_len += length;
      else { v[nv].iov_base = base; v[nv++].iov_len = length; }
    }
    if (nv) send_all(t, slot, v, nv);
  }
  t->commands[0] = 0;
}
