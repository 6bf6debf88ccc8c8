// One turn: gather events, one call into JavaScript, carry out its commands. Driven by libuv, which watches the epoll descriptor.
#include "transport.h"

static void gather(transport_t *t, int n, uint32_t carried) {
  if (carried) { // new calls of attend() append behind the first `carried`
    for (uint32_t i = 0; i < carried; i++) { uint32_t slot = t->carry[i]; t->slots[slot].flags &= ~(uint32_t)F_CARRY; service(t, slot); }
    memmove(t->carry, t->carry + carried, (t->carry_count - carried) * sizeof *t->carry); t->carry_count -= carried;
  }
  for (int i = 0; i < n; i++) {
    if (t->ready[i].data.u64 == BELL) { inbox_take(t); continue; }
    uint32_t slot = (uint32_t)t->ready[i].data.u64, e = t->ready[i].events;
    slot_t *s = slot_of(t, slot, (uint32_t)(t->ready[i].data.u64 >> 32));
    if (!s) continue;
    if (e & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) s->flags |= F_READ;
    if (e & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) s->flags |= F_HUP;
    if (e & (EPOLLOUT | EPOLLERR | EPOLLHUP) && (s->flags & F_CONNECTING || s->queue_length)) s->flags |= F_OUT;
    if (e & (EPOLLERR | EPOLLHUP) && !(s->flags & F_CONNECTING) && s->flags & (F_PAUSED | F_CLOSING | F_EOF)) { // nobody reads it, so a read cannot tell
      int error = socket_error(s->fd);
      // A paused socket that is only at its end may have bytes to read yet.
      if (error || (e & EPOLLHUP && s->flags & (F_CLOSING | F_EOF))) { s->flags |= F_ERROR; s->error = (uint32_t)error; }
    }
    if (!(s->flags & F_CARRY)) service(t, slot);
  }
}

static void call_javascript(transport_t *t) {
  napi_handle_scope scope; napi_value f, self; napi_open_handle_scope(t->env, &scope);
  napi_get_reference_value(t->env, t->callback, &f); napi_get_reference_value(t->env, t->self, &self);
  napi_status st = napi_make_callback(t->env, NULL, self, f, 0, NULL, NULL); // drains nextTick and microtasks
  if (st == napi_pending_exception) { napi_value ex; napi_get_and_clear_last_exception(t->env, &ex); napi_fatal_exception(t->env, ex); }
  napi_close_handle_scope(t->env, scope);
}

void turn(transport_t *t) {
  if (t->busy || !t->open) return;
  t->busy = 1;
  uint32_t carried = t->carry_count; int n = epoll_wait(t->epoll, t->ready, MAX_EVENTS, 0);
  t->event_count = 0; t->receive_at = 0;
  gather(t, n, carried);
  if (t->event_count || t->timed) {
    t->timed = 0;
    t->events[0] = (int32_t)t->event_count;
    call_javascript(t);
    if (t->open) carry_out(t);
  }
  t->busy = 0;
  if (!t->open) return;
  if (t->carry_count) uv_idle_start(t->idle, on_idle); else uv_idle_stop(t->idle);
}

void on_poll(uv_handle_t *h, int status, int events) { (void)status; (void)events; turn(h->data); }
void on_idle(uv_handle_t *h) { turn(h->data); }
void on_retry(uv_handle_t *h) { accept_again(h->data); }
void on_timer(uv_handle_t *h) { transport_t *t = h->data; t->timed = 1; turn(t); }

static void release(transport_t *t) { if (--t->owners == 0) free(t); }
static void on_closed(uv_handle_t *h) { // all handles gone: the thread may end
  transport_t *t = h->data; free(h);
  if (--t->handles) return;
  if (t->hook) napi_remove_async_cleanup_hook(t->hook);
  release(t);
}

void shut(transport_t *t) {
  if (!t->open) return;
  t->open = 0;
  for (uint32_t i = 0; i < t->slot_count; i++) if (t->slots[i].fd >= 0) {
    member_t *m = t->slots[i].member;
    close(t->slots[i].fd); free(t->slots[i].queue);
    if (m) { if (t->slots[i].flags & F_LISTEN) member_leave(m); else member_release(m); }
  }
  inbox_close(t); // after the listeners have left: nothing comes in any more
  close(t->bell);
  uv_poll_stop(t->poll); uv_idle_stop(t->idle); uv_timer_stop(t->timer); uv_timer_stop(t->retry);
  close(t->epoll); free(t->slots); free(t->carry); t->slots = NULL; t->carry = NULL; t->slot_count = t->carry_count = 0;
  uv_close(t->poll, on_closed); uv_close(t->idle, on_closed); uv_close(t->timer, on_closed); uv_close(t->retry, on_closed);
}

// Called by addon.c when JavaScript's handle is collected.
void transport_release(transport_t *t);
void transport_release(transport_t *t) { release(t); }
