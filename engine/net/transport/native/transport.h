// The native transport: its own edge-triggered epoll, one call into JavaScript per turn with all events, all sends carried out after it.
//
// Shared with JavaScript: a receive slab and a send slab (bytes), an event list and a command list (Int32Array: [0] count, records of 4 from index 4).
//   event    {slot, generation << 8 | type, offset, length}        command  {slot, generation << 8 | op, offset, length}
// A slot's generation (24 bits) moves each time it is freed, so that a command for a dead socket finds nothing. Nothing that comes from JavaScript is trusted:
// every slot, offset and length is checked here.
#ifndef WEIR_TRANSPORT_H
#define WEIR_TRANSPORT_H
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <errno.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "uv-abi.h"

enum { E_ACCEPT = 1, E_CONNECT, E_DATA, E_EOF, E_CLOSE, E_BLOCK, E_DRAIN };
enum { C_SEND = 1, C_FORWARD, C_END, C_CLOSE, C_RESET, C_PAUSE, C_RESUME, C_NOW };
enum {
  F_LISTEN = 1, F_CONNECTING = 2, F_READ = 4, F_HUP = 8, F_PAUSED = 16, F_CARRY = 32, F_BLOCKED = 64, F_NOTE = 128,
  F_ENDING = 256, F_CLOSING = 512, F_EOF = 1024, F_OUT = 2048, F_ERROR = 4096, F_STALLED = 8192,
};
#define MAX_EVENTS 512      // of one epoll_wait
#define READ_CHUNK 131072   // of one recv
#define MIN_READ 4096       // room below which a read waits for the next turn
#define MAX_IOVS 64
#define SMALL_SEND 2048    // pieces that together are no larger are gathered: a copy costs less than a vector
#define ACCEPT_RETRY_MS 100 // after descriptors ran out and none of ours was freed
#define NO_SLOT UINT32_MAX
#define BELL UINT64_MAX     // epoll data of the inbox's eventfd

struct transport; struct group;

// What one worker has of a listener that several workers share (balance.c). Lives while it listens or its connections do.
typedef struct member {
  struct member *next; struct group *group; struct transport *owner;
  uint32_t slot, generation, active, exact; // slot: of its listener, NO_SLOT: listens no more; active: its open connections
} member_t;

// An accepted connection on its way to another worker.
typedef struct { int fd; uint32_t slot, generation; member_t *member; struct sockaddr_storage peer; } handed_t;

typedef struct {
  int fd; uint32_t generation, flags, error, high; // high: unsent bytes above which JavaScript is told
  char *queue; uint32_t queue_at, queue_length, queue_size;
  uint32_t next, accepts;                          // free list; listeners: accepts per turn
  member_t *member;                                // whose count it is in; a listener: what it accepts for
} slot_t;

typedef struct transport {
  napi_env env; napi_ref callback, self, kept[4]; uv_loop_t *loop; uv_handle_t *poll, *idle, *timer, *retry; napi_async_cleanup_hook_handle hook;
  int epoll, open, busy, handles, owners, timed; uint32_t stalled;
  uint8_t *receive, *send; uint32_t receive_size, send_size, receive_at;
  int32_t *events, *commands; uint32_t event_count, event_size, command_size;
  slot_t *slots; uint32_t slot_count, free_slot, live;
  uint32_t *carry, carry_count;
  int bell; handed_t *inbox; uint32_t inbox_count, inbox_size; // guarded by the lock of balance.c
  struct epoll_event ready[MAX_EVENTS];
} transport_t;

// slots.c
slot_t *slot_of(transport_t *t, uint32_t slot, uint32_t generation);
uint32_t slot_new(transport_t *t, int fd, uint32_t flags);
void slot_free(transport_t *t, uint32_t slot);
int socket_error(int fd); // takes it: asked again, it is 0
void attend(transport_t *t, uint32_t slot);
void emit(transport_t *t, uint32_t slot, int type, uint32_t offset, uint32_t length);
void accept_again(transport_t *t);
// balance.c
int member_join(transport_t *t, uint32_t slot, const char *group, int exact);
void member_leave(member_t *m);
void member_release(member_t *m);
member_t *member_choose(member_t *m);
int hand_over(member_t *m, int fd, const struct sockaddr_storage *peer);
void inbox_take(transport_t *t);
void inbox_close(transport_t *t);
// io.c
int adopt(transport_t *t, int fd, uint32_t listener, member_t *m, const struct sockaddr_storage *peer);
void send_all(transport_t *t, uint32_t slot, struct iovec *v, int n);
void queue_flush(transport_t *t, uint32_t slot);
void service(transport_t *t, uint32_t slot);
void carry_out(transport_t *t);
// turn.c
void turn(transport_t *t);
void on_poll(uv_handle_t *h, int status, int events);
void on_idle(uv_handle_t *h);
void on_timer(uv_handle_t *h);
void on_retry(uv_handle_t *h);
void shut(transport_t *t);
#endif
