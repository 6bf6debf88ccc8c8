// An HTTP/1.1 backend that costs next to nothing: one thread, epoll, a fixed answer per request head. For load tests only: it trusts its peer.
//   backend PORT BYTES [HEADERS]    answers every request with BYTES of body, and HEADERS extra header lines
// A request is taken to end at its blank line plus its content-length (a body is read and dropped).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct { int fd; size_t in, body, todo, off; char buf[16384]; } conn;
static char *answer; static size_t answer_len; static int ep;

static void drop(conn *c) { close(c->fd); free(c); }

// Sends what is owed: `todo` whole answers, the first from `off`. 0 ok, 1 would block, -1 gone.
static int pump(conn *c) {
  while (c->todo) {
    ssize_t n = send(c->fd, answer + c->off, answer_len - c->off, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN ? 1 : -1;
    if ((c->off += (size_t)n) == answer_len) { c->off = 0; c->todo--; }
  }
  return 0;
}

static void parse(conn *c) {
  size_t at = 0;
  while (at < c->in) {
    if (c->body) { size_t n = c->in - at < c->body ? c->in - at : c->body; c->body -= n; at += n; if (!c->body) c->todo++; continue; }
    char *end = memmem(c->buf + at, c->in - at, "\r\n\r\n", 4);
    if (!end) break;
    size_t length = 0;
    for (char *p = c->buf + at; p < end; p++) if (*p == '\n' && !strncasecmp(p + 1, "content-length:", 15)) length = strtoul(p + 16, NULL, 10);
    at = (size_t)(end + 4 - c->buf);
    if (length) c->body = length; else c->todo++;
  }
  memmove(c->buf, c->buf + at, c->in - at); c->in -= at;
}

int main(int argc, char **argv) {
  if (argc < 3) { fprintf(stderr, "backend PORT BYTES [HEADERS]\n"); return 2; }
  signal(SIGPIPE, SIG_IGN);
  size_t bytes = strtoul(argv[2], NULL, 10); int extra = argc > 3 ? atoi(argv[3]) : 0;
  answer = malloc(bytes + 1024 + (size_t)extra * 64);
  int n = sprintf(answer, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %zu\r\n", bytes);
  for (int i = 0; i < extra; i++) n += sprintf(answer + n, "x-extra-%d: value-of-header-%d\r\n", i, i);
  n += sprintf(answer + n, "\r\n"); memset(answer + n, 'x', bytes); answer_len = (size_t)n + bytes;
  int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096)) { perror("listen"); return 1; }
  ep = epoll_create1(0);
  struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL }, evs[256]; epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
  for (;;) {
    int k = epoll_wait(ep, evs, 256, -1);
    for (int i = 0; i < k; i++) {
      conn *c = evs[i].data.ptr;
      if (!c) {
        for (int fd; (fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          c = calloc(1, sizeof *c); c->fd = fd; e.events = EPOLLIN | EPOLLOUT | EPOLLET; e.data.ptr = c; epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
        }
        continue;
      }
      int gone = 0;
      for (;;) {
        ssize_t r = recv(c->fd, c->buf + c->in, sizeof c->buf - c->in, 0);
        if (r > 0) { c->in += (size_t)r; parse(c); if (c->in == sizeof c->buf) { gone = 1; break; } continue; }
        if (r == 0 || errno != EAGAIN) gone = 1;
        break;
      }
      if (gone || pump(c) < 0) drop(c);
    }
  }
}
