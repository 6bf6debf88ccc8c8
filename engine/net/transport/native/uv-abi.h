// The few libuv declarations that the addon needs. The symbols are exported by the node binary and stable within libuv 1.x; handles are opaque here, their sizes
// come from uv_handle_size, and `data` is the first field of every handle.
#ifndef WEIR_UV_ABI_H
#define WEIR_UV_ABI_H
#include <stddef.h>
#include <stdint.h>

typedef struct uv_loop_s uv_loop_t;
typedef struct { void *data; } uv_handle_t; // only ever used through a pointer
enum { WEIR_UV_IDLE = 6, WEIR_UV_POLL = 8, WEIR_UV_TIMER = 13, WEIR_UV_READABLE = 1 };

size_t uv_handle_size(int type);
void uv_close(uv_handle_t *handle, void (*closed)(uv_handle_t *));
int uv_poll_init(uv_loop_t *loop, uv_handle_t *handle, int fd);
int uv_poll_start(uv_handle_t *handle, int events, void (*cb)(uv_handle_t *, int status, int events));
int uv_poll_stop(uv_handle_t *handle);
int uv_idle_init(uv_loop_t *loop, uv_handle_t *handle);
int uv_idle_start(uv_handle_t *handle, void (*cb)(uv_handle_t *));
int uv_idle_stop(uv_handle_t *handle);
int uv_timer_init(uv_loop_t *loop, uv_handle_t *handle);
int uv_timer_start(uv_handle_t *handle, void (*cb)(uv_handle_t *), uint64_t timeout, uint64_t repeat);
int uv_timer_stop(uv_handle_t *handle);
void uv_update_time(uv_loop_t *loop);
#endif
