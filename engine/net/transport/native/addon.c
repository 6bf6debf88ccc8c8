// The addon's face towards JavaScript (Node-API). Errors of the system come back as negative errno; wrong arguments throw.
#include "transport.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif

void transport_release(transport_t *t);

#define ARGS(n) napi_value a[n]; size_t ac = n; napi_get_cb_info(env, info, &ac, a, NULL, NULL)
#define THROW(m) do { napi_throw_error(env, NULL, m); return NULL; } while (0)
#define SELF transport_t *t = self_of(env, a[0]); if (!t) THROW("the transport is closed")

static transport_t *self_of(napi_env env, napi_value v) { void *p = NULL; if (napi_get_value_external(env, v, &p) != napi_ok || !p) return NULL; return ((transport_t *)p)->open ? p : NULL; }
static napi_value number(napi_env env, double d) { napi_value v; napi_create_double(env, d, &v); return v; }
static int32_t int_of(napi_env env, napi_value v, int32_t otherwise) { int32_t i = otherwise; napi_get_value_int32(env, v, &i); return i; }
static uint32_t slot_from(napi_env env, napi_value v) { uint32_t u = NO_SLOT; napi_get_value_uint32(env, v, &u); return u; }

static void on_env_down(napi_async_cleanup_hook_handle h, void *p) { transport_t *t = p; t->hook = h; shut(t); }
static void on_collected(napi_env env, void *p, void *hint) { (void)env; (void)hint; transport_release(p); }

// create(receive: Uint8Array, send: Uint8Array, events: Int32Array, commands: Int32Array, onTurn) → handle
static napi_value Create(napi_env env, napi_callback_info info) {
  ARGS(5); transport_t *t = calloc(1, sizeof *t); void *p[4]; size_t l[4]; napi_typedarray_type type;
  if (!t) THROW("out of memory");
  for (int i = 0; i < 4; i++) {
    if (napi_get_typedarray_info(env, a[i], &type, &l[i], &p[i], NULL, NULL) != napi_ok || (i > 1 && type != napi_int32_array) || l[i] < (i < 2 ? 2u * READ_CHUNK : 4u + 4 * 1024)) { free(t); THROW("bad slabs"); }
  }
  t->env = env; t->receive = p[0]; t->send = p[1]; t->events = p[2]; t->commands = p[3]; t->receive_size = (uint32_t)l[0]; t->send_size = (uint32_t)l[1];
  t->event_size = (uint32_t)(l[2] - 4) / 4; t->command_size = (uint32_t)(l[3] - 4) / 4; t->free_slot = NO_SLOT; t->open = 1;
  for (int i = 0; i < 4; i++) napi_create_reference(env, a[i], 1, &t->kept[i]);
  napi_create_reference(env, a[4], 1, &t->callback);
  napi_value o; napi_create_object(env, &o); napi_create_reference(env, o, 1, &t->self);
  struct uv_loop_s *loop; napi_get_uv_event_loop(env, (void *)&loop); t->loop = loop;
  t->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (t->epoll < 0) { free(t); THROW("epoll_create1 failed"); }
  struct epoll_event bell = { .events = EPOLLIN, .data.u64 = BELL };
  t->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (t->bell < 0 || epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->bell, &bell)) { if (t->bell >= 0) close(t->bell); close(t->epoll); free(t); THROW("eventfd failed"); }
  t->poll = malloc(uv_handle_size(WEIR_UV_POLL)); t->idle = malloc(uv_handle_size(WEIR_UV_IDLE)); t->timer = malloc(uv_handle_size(WEIR_UV_TIMER)); t->retry = malloc(uv_handle_size(WEIR_UV_TIMER));
  uv_poll_init(t->loop, t->poll, t->epoll); uv_idle_init(t->loop, t->idle); uv_timer_init(t->loop, t->timer); uv_timer_init(t->loop, t->retry);
  t->poll->data = t->idle->data = t->timer->data = t->retry->data = t;
  uv_poll_start(t->poll, WEIR_UV_READABLE, on_poll);
  t->handles = 4; t->owners = 2; // the libuv handles, and JavaScript's
  napi_add_async_cleanup_hook(env, on_env_down, t, &t->hook);
  napi_value v; napi_create_external(env, t, on_collected, NULL, &v);
  return v;
}

// Reads (host, port) or ('unix', path in host): family, or -1.
static int address_of(napi_env env, napi_value host, napi_value port, struct sockaddr_storage *s, socklen_t *l) {
  char text[120]; size_t n; memset(s, 0, sizeof *s);
  if (napi_get_value_string_latin1(env, host, text, sizeof text, &n) != napi_ok) return -1;
  int32_t p = int_of(env, port, -1);
  if (p < 0) {
    struct sockaddr_un *u = (void *)s; u->sun_family = AF_UNIX;
    if (n == 0 || n >= sizeof u->sun_path) return -1;
    memcpy(u->sun_path, text, n);
    if (text[0] == '@') u->sun_path[0] = 0; // abstract namespace
    *l = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (text[0] == '@' ? 0 : 1));
    return AF_UNIX;
  }
  struct sockaddr_in *i4 = (void *)s; struct sockaddr_in6 *i6 = (void *)s;
  if (inet_pton(AF_INET, text, &i4->sin_addr) == 1) { i4->sin_family = AF_INET; i4->sin_port = htons((uint16_t)p); *l = sizeof *i4; return AF_INET; }
  if (inet_pton(AF_INET6, text, &i6->sin6_addr) == 1) { i6->sin6_family = AF_INET6; i6->sin6_port = htons((uint16_t)p); *l = sizeof *i6; return AF_INET6; }
  return -1;
}

static int apply_option(napi_env env, int fd, napi_value level, napi_value name, napi_value value) {
  bool typed; napi_is_typedarray(env, value, &typed);
  if (typed) { void *p; size_t n; napi_typedarray_type ty; napi_get_typedarray_info(env, value, &ty, &n, &p, NULL, NULL); return ty == napi_uint8_array && !setsockopt(fd, int_of(env, level, -1), int_of(env, name, -1), p, (socklen_t)n) ? 0 : -1; }
  int v = int_of(env, value, 0);
  return setsockopt(fd, int_of(env, level, -1), int_of(env, name, -1), &v, sizeof v);
}
// options: flat array level, name, value, level, name, value…
static int apply_options(napi_env env, int fd, napi_value list) {
  uint32_t n = 0; if (napi_get_array_length(env, list, &n) != napi_ok) return 0;
  for (uint32_t i = 0; i + 2 < n; i += 3) { napi_value l, k, v; napi_get_element(env, list, i, &l); napi_get_element(env, list, i + 1, &k); napi_get_element(env, list, i + 2, &v); if (apply_option(env, fd, l, k, v)) return -1; }
  return 0;
}

// Becomes one of those that share a listener; 0, or -errno.
static int join(napi_env env, transport_t *t, uint32_t slot, napi_value group, int exact) {
  char name[256]; size_t n = 0;
  if (napi_get_value_string_latin1(env, group, name, sizeof name, &n) != napi_ok || n == 0) return 0;
  if (!member_join(t, slot, name, exact)) return 0;
  slot_free(t, slot);
  return -ENOMEM;
}

// listen(h, host, port | -1, backlog, flags: 1 reuseport 2 v6only 4 exact balance 8 mptcp, mode, acceptsPerTurn, options, group | '') → slot or -errno
static napi_value Listen(napi_env env, napi_callback_info info) {
  ARGS(9); SELF; struct sockaddr_storage sa; socklen_t l; int on = 1, flags = int_of(env, a[4], 0), mode = int_of(env, a[5], 0);
  int family = address_of(env, a[1], a[2], &sa, &l);
  if (family < 0) return number(env, -EINVAL);
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, flags & 8 && family != AF_UNIX ? IPPROTO_MPTCP : 0);
  if (fd < 0) return number(env, -errno);
  if (family == AF_UNIX) { struct sockaddr_un *u = (void *)&sa; struct stat st; if (u->sun_path[0] && !stat(u->sun_path, &st) && S_ISSOCK(st.st_mode)) unlink(u->sun_path); }
  else {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (flags & 1) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    int only = flags & 2 ? 1 : 0; if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  uint32_t slot = NO_SLOT;
  if (apply_options(env, fd, a[7]) || bind(fd, (void *)&sa, l) || (family == AF_UNIX && mode && ((struct sockaddr_un *)&sa)->sun_path[0] && chmod(((struct sockaddr_un *)&sa)->sun_path, (mode_t)mode)) || listen(fd, int_of(env, a[3], 511)) || (slot = slot_new(t, fd, F_LISTEN)) == NO_SLOT) { int e = errno; close(fd); return number(env, -e); }
  t->slots[slot].accepts = (uint32_t)int_of(env, a[6], 0);
  int e = join(env, t, slot, a[8], flags & 4);
  return number(env, e ? e : (double)slot);
}
// share(h, group) → slot or -errno: accepts what another member of the group hands over, without a socket of its own
static napi_value Share(napi_env env, napi_callback_info info) {
  ARGS(2); SELF; int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); // stands in the slot, never readable
  if (fd < 0) return number(env, -errno);
  uint32_t slot = slot_new(t, fd, F_LISTEN);
  if (slot == NO_SLOT) { int e = errno; close(fd); return number(env, -e); }
  int e = join(env, t, slot, a[1], 1);
  return number(env, e ? e : (double)slot);
}

// connect(h, host, port | -1, bindHost | '', bindPort, options) → slot or -errno
static napi_value Connect(napi_env env, napi_callback_info info) {
  ARGS(6); SELF; struct sockaddr_storage sa, ba; socklen_t l, bl; int on = 1; uint32_t slot; size_t n = 0;
  int family = address_of(env, a[1], a[2], &sa, &l);
  if (family < 0) return number(env, -EINVAL);
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return number(env, -errno);
  if (family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  napi_get_value_string_latin1(env, a[3], NULL, 0, &n);
  if (apply_options(env, fd, a[5]) || (n && (address_of(env, a[3], a[4], &ba, &bl) != family || bind(fd, (void *)&ba, bl))) || (connect(fd, (void *)&sa, l) && errno != EINPROGRESS) || (slot = slot_new(t, fd, F_CONNECTING)) == NO_SLOT) { int e = errno ? errno : EINVAL; close(fd); return number(env, -e); }
  return number(env, slot);
}

static slot_t *live(napi_env env, transport_t *t, napi_value v, uint32_t *slot) { *slot = slot_from(env, v); return *slot < t->slot_count && t->slots[*slot].fd >= 0 ? &t->slots[*slot] : NULL; }

// flush(h): carries out commands written outside of a turn, or when a slab is full within one. generation(h, slot) → its generation now.
static napi_value Flush(napi_env env, napi_callback_info info) { ARGS(1); SELF; carry_out(t); if (t->carry_count && !t->busy) uv_idle_start(t->idle, on_idle); return NULL; }
static napi_value Generation(napi_env env, napi_callback_info info) { ARGS(2); SELF; uint32_t s = slot_from(env, a[1]); return number(env, s < t->slot_count ? t->slots[s].generation & 0xffffff : 0); }
// wake(h, ms): a turn in `ms`; negative: none.
static napi_value Wake(napi_env env, napi_callback_info info) {
  ARGS(2); SELF; int32_t ms = int_of(env, a[1], -1);
  if (ms < 0) uv_timer_stop(t->timer); else { uv_update_time(t->loop); uv_timer_start(t->timer, on_timer, (uint64_t)ms, 0); }
  return NULL;
}
// closeListener(h, slot); pauseListener(h, slot, on)
static napi_value CloseListener(napi_env env, napi_callback_info info) { ARGS(2); SELF; uint32_t i; slot_t *s = live(env, t, a[1], &i); if (s && s->flags & F_LISTEN) slot_free(t, i); return NULL; }
static napi_value PauseListener(napi_env env, napi_callback_info info) {
  ARGS(3); SELF; uint32_t i; slot_t *s = live(env, t, a[1], &i); bool on = false; napi_get_value_bool(env, a[2], &on);
  if (!s || !(s->flags & F_LISTEN)) return NULL;
  if (on) s->flags |= F_PAUSED; else s->flags &= ~(uint32_t)(F_PAUSED | F_STALLED);
  struct epoll_event e = { .events = on ? 0 : EPOLLIN, .data.u64 = (uint64_t)(s->generation & 0xffffff) << 32 | i };
  epoll_ctl(t->epoll, EPOLL_CTL_MOD, s->fd, &e);
  return NULL;
}
// setHigh(h, slot, bytes); pending(h, slot) → unsent bytes; setOption(h, slot, level, name, value) → 0 or -errno
static napi_value SetHigh(napi_env env, napi_callback_info info) { ARGS(3); SELF; uint32_t i; slot_t *s = live(env, t, a[1], &i); if (s) s->high = (uint32_t)int_of(env, a[2], 1 << 20); return NULL; }
static napi_value Pending(napi_env env, napi_callback_info info) { ARGS(2); SELF; uint32_t i; slot_t *s = live(env, t, a[1], &i); return number(env, s ? s->queue_length : 0); }
static napi_value SetOption(napi_env env, napi_callback_info info) { ARGS(5); SELF; uint32_t i; slot_t *s = live(env, t, a[1], &i); return number(env, !s ? -EBADF : apply_option(env, s->fd, a[2], a[3], a[4]) ? -errno : 0); }
// 'ip port', a path, or nothing. `text` has room for 140 characters and is zeroed.
static void address_text(const struct sockaddr_storage *sa, socklen_t l, char *text) {
  if (sa->ss_family == AF_UNIX) {
    const struct sockaddr_un *u = (const void *)sa; size_t n = l - offsetof(struct sockaddr_un, sun_path);
    if (n > sizeof u->sun_path) n = 0;
    memcpy(text, u->sun_path, n);
    if (n && !text[0]) text[0] = '@';
    return;
  }
  int six = sa->ss_family == AF_INET6; const struct sockaddr_in *i4 = (const void *)sa; const struct sockaddr_in6 *i6 = (const void *)sa;
  if (!six && sa->ss_family != AF_INET) return;
  if (!inet_ntop(sa->ss_family, six ? (const void *)&i6->sin6_addr : (const void *)&i4->sin_addr, text, 64)) return;
  size_t n = strlen(text); unsigned p = ntohs(six ? i6->sin6_port : i4->sin_port); char d[6]; int k = 0;
  text[n] = ' ';
  do d[k++] = (char)('0' + p % 10); while (p /= 10);
  while (k) text[++n] = d[--k];
  text[n + 1] = 0;
}
// name(h, slot, remote) → 'ip port' | 'path' | ''
static napi_value Name(napi_env env, napi_callback_info info) {
  ARGS(3); SELF; uint32_t i; slot_t *s = live(env, t, a[1], &i); bool remote = false; napi_get_value_bool(env, a[2], &remote);
  struct sockaddr_storage sa; socklen_t l = sizeof sa; char text[140] = ""; napi_value v;
  memset(&sa, 0, sizeof sa);
  if (s && !(remote ? getpeername(s->fd, (void *)&sa, &l) : getsockname(s->fd, (void *)&sa, &l))) address_text(&sa, l, text);
  napi_create_string_latin1(env, text, NAPI_AUTO_LENGTH, &v);
  return v;
}
// originalDestination(h, slot) → 'ip port' that the client asked for before the kernel redirected it (iptables REDIRECT, TPROXY) | ''
static napi_value OriginalDestination(napi_env env, napi_callback_info info) {
  ARGS(2); SELF; uint32_t i; slot_t *s = live(env, t, a[1], &i); char text[140] = ""; napi_value v;
  struct sockaddr_storage sa; socklen_t l = sizeof sa, ll; int transparent = 0; memset(&sa, 0, sizeof sa);
  if (s && !(s->flags & F_LISTEN) && !getsockname(s->fd, (void *)&sa, &l) && sa.ss_family != AF_UNIX) {
    int six = sa.ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&((struct sockaddr_in6 *)&sa)->sin6_addr), level = six ? IPPROTO_IPV6 : IPPROTO_IP;
    struct sockaddr_storage to; socklen_t tl = sizeof to; memset(&to, 0, sizeof to); ll = sizeof transparent;
    if (!getsockopt(s->fd, level, 80 /* SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST */, &to, &tl)) address_text(&to, tl, text);
    else if (!getsockopt(s->fd, level, six ? IPV6_TRANSPARENT : IP_TRANSPARENT, &transparent, &ll) && transparent) address_text(&sa, l, text); // TPROXY leaves it in place
  }
  napi_create_string_latin1(env, text, NAPI_AUTO_LENGTH, &v);
  return v;
}
static napi_value Live(napi_env env, napi_callback_info info) { ARGS(1); transport_t *t = self_of(env, a[0]); return number(env, t ? t->live : 0); }
static napi_value Close(napi_env env, napi_callback_info info) { ARGS(1); transport_t *t = self_of(env, a[0]); if (t) shut(t); return NULL; }

NAPI_MODULE_INIT() {
  struct { const char *name; napi_callback f; } m[] = { { "create", Create }, { "listen", Listen }, { "connect", Connect }, { "flush", Flush }, { "generation", Generation }, { "wake", Wake }, { "closeListener", CloseListener },
    { "pauseListener", PauseListener }, { "setHigh", SetHigh }, { "pending", Pending }, { "setOption", SetOption }, { "name", Name }, { "originalDestination", OriginalDestination }, { "share", Share }, { "live", Live }, { "close", Close } };
  for (unsigned i = 0; i < sizeof m / sizeof *m; i++) { napi_value v; napi_create_function(env, m[i].name, NAPI_AUTO_LENGTH, m[i].f, NULL, &v); napi_set_named_property(env, exports, m[i].name, v); }
  return exports;
}
