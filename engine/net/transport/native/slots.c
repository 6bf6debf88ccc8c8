// The table of sockets: a slot for each, freed slots are used again with a new generation.
#include "transport.h"

slot_t *slot_of(transport_t *t, uint32_t slot, uint32_t generation) {
  if (slot >= t->slot_count) return NULL;
  slot_t *s = &t->slots[slot];
  return s->fd >= 0 && (s->generation & 0xffffff) == generation ? s : NULL;
}

void emit(transport_t *t, uint32_t slot, int type, uint32_t offset, uint32_t length) {
  int32_t *e = t->events + 4 + 4 * t->event_count++;
  e[0] = (int32_t)slot; e[1] = (int32_t)((t->slots[slot].generation & 0xffffff) << 8 | (uint32_t)type); e[2] = (int32_t)offset; e[3] = (int32_t)length;
}

// Puts a socket on the list of those that need a look in the next turn, once.
void attend(transport_t *t, uint32_t slot) {
  slot_t *s = &t->slots[slot];
  if (s->flags & F_CARRY) return;
  s->flags |= F_CARRY; t->carry[t->carry_count++] = slot;
}

static int grow(transport_t *t) {
  uint32_t n = t->slot_count ? t->slot_count * 2 : 256;
  if (n > 1u << 22) return -1;
  slot_t *s = realloc(t->slots, n * sizeof *s); if (!s) return -1; t->slots = s;
  uint32_t *c = realloc(t->carry, 2 * n * sizeof *c); if (!c) return -1; t->carry = c;
  for (uint32_t i = n; i-- > t->slot_count;) { memset(&s[i], 0, sizeof *s); s[i].fd = -1; s[i].next = t->free_slot; t->free_slot = i; }
  t->slot_count = n;
  return 0;
}

// Takes `fd` in; NO_SLOT (fd stays the caller's) where there is no memory.
uint32_t slot_new(transport_t *t, int fd, uint32_t flags) {
  if (t->free_slot == NO_SLOT && grow(t)) { errno = ENOMEM; return NO_SLOT; }
  uint32_t slot = t->free_slot; slot_t *s = &t->slots[slot];
  struct epoll_event e = { .events = flags & F_LISTEN ? EPOLLIN : EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = (uint64_t)(s->generation & 0xffffff) << 32 | slot };
  if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &e)) return NO_SLOT;
  t->free_slot = s->next;
  s->fd = fd; s->flags = flags | (s->flags & F_CARRY); s->error = 0; s->queue_at = s->queue_length = 0; s->high = 1 << 20; s->accepts = 0; s->member = NULL;
  if (!(flags & F_LISTEN)) t->live++;
  return slot;
}

int socket_error(int fd) { int error = 0; socklen_t l = sizeof error; getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &l); return error; }

void slot_free(transport_t *t, uint32_t slot) {
  slot_t *s = &t->slots[slot];
  if (!(s->flags & F_LISTEN)) t->live--;
  if (s->member) { if (s->flags & F_LISTEN) member_leave(s->member); else member_release(s->member); s->member = NULL; }
  close(s->fd); free(s->queue); s->queue = NULL; s->queue_at = s->queue_length = s->queue_size = 0;
  s->fd = -1; s->generation++; s->flags &= F_CARRY; s->next = t->free_slot; t->free_slot = slot;
  if (t->stalled) accept_again(t); // an accept had run out of descriptors: there is one now
}

// Listeners that had run out of descriptors are asked again.
void accept_again(transport_t *t) {
  t->stalled = 0;
  for (uint32_t i = 0; i < t->slot_count; i++) {
    slot_t *l = &t->slots[i];
    if (l->fd < 0 || !(l->flags & F_STALLED)) continue;
    l->flags &= ~(uint32_t)F_STALLED;
    if (l->flags & F_PAUSED) continue;
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t)(l->generation & 0xffffff) << 32 | i };
    epoll_ctl(t->epoll, EPOLL_CTL_MOD, l->fd, &e);
  }
}
