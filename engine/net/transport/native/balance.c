// Listeners that several workers share: who of them gets a connection, and the way of one from the worker that accepted it to the worker that serves it. Descriptors are
// the process's, so nothing but a number travels.
//
// SO_REUSEPORT spreads connections by a hash: binomially, so with 64 of them one of two workers has 40 now and then. Here the accepting worker compares counts of open
// connections: with `exact` the one that has fewest gets it (Envoy: exact_balance), otherwise it is handed over only where the accepting one has clearly more than that,
// so that most connections stay where the kernel has put them and cost nothing more.
//
// One lock for the process, held for a few loads and stores: taken once at each accept and once at each end of a connection. A member is there while it listens or has
// connections (or has some on the way to it); its owner is looked at only under the lock and only while it listens, and a transport leaves all groups before it ends.
#include "transport.h"
#include <pthread.h>

typedef struct group { struct group *next; member_t *members; uint32_t listening; char name[]; } group_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static group_t *groups;

// Under the lock.
static void forget_if_over(member_t *m) {
  if (m->slot != NO_SLOT || m->active) return;
  group_t *g = m->group; member_t **at = &g->members;
  while (*at != m) at = &(*at)->next;
  *at = m->next; free(m);
  if (g->members) return;
  group_t **of = &groups;
  while (*of != g) of = &(*of)->next;
  *of = g->next; free(g);
}

// The listener in `slot` accepts for the group, as one of its members; 0, or -1 without memory.
int member_join(transport_t *t, uint32_t slot, const char *name, int exact) {
  pthread_mutex_lock(&lock);
  group_t *g = groups; member_t *m;
  while (g && strcmp(g->name, name)) g = g->next;
  if (!g) {
    size_t n = strlen(name) + 1;
    if (!(g = malloc(sizeof *g + n))) { pthread_mutex_unlock(&lock); return -1; }
    memcpy(g->name, name, n); g->members = NULL; g->listening = 0; g->next = groups; groups = g;
  }
  // A listener that was closed and opened again goes on with the count of its connections.
  for (m = g->members; m && !(m->owner == t && m->slot == NO_SLOT); m = m->next);
  if (!m) {
    if (!(m = calloc(1, sizeof *m))) { pthread_mutex_unlock(&lock); return -1; } // an empty group is found again by its name
    m->group = g; m->owner = t; m->next = g->members; g->members = m;
  }
  m->slot = slot; m->generation = t->slots[slot].generation; m->exact = exact != 0; g->listening++;
  t->slots[slot].member = m;
  pthread_mutex_unlock(&lock);
  return 0;
}

// The listener is closed: nobody hands anything over to it any more.
void member_leave(member_t *m) {
  pthread_mutex_lock(&lock);
  m->slot = NO_SLOT; m->group->listening--;
  forget_if_over(m);
  pthread_mutex_unlock(&lock);
}

// A connection of it has ended.
void member_release(member_t *m) {
  pthread_mutex_lock(&lock);
  m->active--;
  forget_if_over(m);
  pthread_mutex_unlock(&lock);
}

// Who serves the connection that `m` has accepted; counted there.
member_t *member_choose(member_t *m) {
  pthread_mutex_lock(&lock);
  member_t *to = m;
  if (m->group->listening > 1) {
    uint32_t slack = m->exact ? 0 : 1 + m->active / 32;
    for (member_t *o = m->group->members; o; o = o->next) if (o->slot != NO_SLOT && o->active < to->active) to = o;
    if (m->active <= to->active + slack) to = m;
  }
  to->active++;
  pthread_mutex_unlock(&lock);
  return to;
}

// Gives an accepted connection to another worker; 0 where that cannot be, and it is the caller's still, uncounted.
int hand_over(member_t *m, int fd, const struct sockaddr_storage *peer) {
  pthread_mutex_lock(&lock);
  transport_t *t = m->owner; int ok = m->slot != NO_SLOT;
  if (ok && t->inbox_count == t->inbox_size) {
    uint32_t size = t->inbox_size ? 2 * t->inbox_size : 16;
    handed_t *more = realloc(t->inbox, size * sizeof *more);
    if (more) { t->inbox = more; t->inbox_size = size; } else ok = 0;
  }
  if (ok) {
    t->inbox[t->inbox_count++] = (handed_t){ .fd = fd, .slot = m->slot, .generation = m->generation, .member = m, .peer = *peer };
    if (t->inbox_count == 1) { uint64_t one = 1; if (write(t->bell, &one, sizeof one) < 0) { /* it rings already */ } }
  } else { m->active--; forget_if_over(m); }
  pthread_mutex_unlock(&lock);
  return ok;
}

// Takes in what others have handed over, as far as this turn has room; the bell rings on for the rest.
void inbox_take(transport_t *t) {
  handed_t some[64]; uint32_t n = 0; uint64_t rung;
  uint32_t room = (t->event_size - t->event_count) / 8, space = (t->receive_size - t->receive_at) / (sizeof some->peer + 8);
  if (room > space) room = space;
  if (room > 64) room = 64;
  pthread_mutex_lock(&lock);
  n = t->inbox_count < room ? t->inbox_count : room;
  if (n) {
    memcpy(some, t->inbox, n * sizeof *some);
    memmove(t->inbox, t->inbox + n, (t->inbox_count - n) * sizeof *some); t->inbox_count -= n;
  }
  if (!t->inbox_count && read(t->bell, &rung, sizeof rung) < 0) { /* it had not rung */ }
  pthread_mutex_unlock(&lock);
  for (uint32_t i = 0; i < n; i++) {
    // The listener may have been closed meanwhile: as with what waits in the kernel's queue then, the connection ends.
    slot_t *s = slot_of(t, some[i].slot, some[i].generation & 0xffffff);
    if (s && s->flags & F_LISTEN) adopt(t, some[i].fd, some[i].slot, some[i].member, &some[i].peer);
    else { close(some[i].fd); member_release(some[i].member); }
  }
}

// The transport ends. After this and after its listeners have left nobody hands anything over to it.
void inbox_close(transport_t *t) {
  pthread_mutex_lock(&lock);
  for (uint32_t i = 0; i < t->inbox_count; i++) { member_t *m = t->inbox[i].member; close(t->inbox[i].fd); m->active--; forget_if_over(m); }
  free(t->inbox); t->inbox = NULL; t->inbox_count = t->inbox_size = 0;
  pthread_mutex_unlock(&lock);
}
