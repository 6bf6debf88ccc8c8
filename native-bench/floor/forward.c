// The floor: a TCP forwarder with one epoll and no thought, the least that a user-space proxy can cost. forward PORT BACKEND_PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct side { int fd; struct side *other; size_t len, off; char *held; int dead; } side;
static int ep; static char buf[65536];

static void shut(side *s) { if (s->dead) return; s->dead = s->other->dead = 1; close(s->fd); close(s->other->fd); }

// Sends what is held for `s`; 0 when all went.
static int flush(side *s) {
  while (s->len) {
    ssize_t n = send(s->fd, s->held + s->off, s->len, MSG_NOSIGNAL);
    if (n < 0) { if (errno != EAGAIN && errno != ENOTCONN) shut(s); return 1; }
    s->off += (size_t)n; s->len -= (size_t)n;
  }
  free(s->held); s->held = NULL; s->off = 0;
  return 0;
}

static void copy(side *from) {
  side *to = from->other;
  while (!from->dead && !to->len) {
    ssize_t r = recv(from->fd, buf, sizeof buf, 0), n;
    if (r == 0 || (r < 0 && errno != EAGAIN && errno != ENOTCONN)) { shut(from); return; }
    if (r < 0) return;
    n = send(to->fd, buf, (size_t)r, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != ENOTCONN) { shut(from); return; }
    if (n < 0) n = 0;
    if (n < r) { to->len = (size_t)(r - n); to->held = malloc(to->len); memcpy(to->held, buf + n, to->len); return; }
    if ((size_t)r < sizeof buf) return;
  }
}

static side *add(int fd) {
  side *s = calloc(1, sizeof *s); s->fd = fd;
  struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s }; epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
  return s;
}

int main(int argc, char **argv) {
  if (argc < 3) { fprintf(stderr, "forward PORT BACKEND_PORT\n"); return 2; }
  signal(SIGPIPE, SIG_IGN);
  int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, b = a;
  b.sin_port = htons((uint16_t)atoi(argv[2]));
  if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096)) { perror("listen"); return 1; }
  ep = epoll_create1(0);
  struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL }, evs[256]; epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
  for (;;) {
    side *gone[512]; int ngone = 0, k = epoll_wait(ep, evs, 256, -1);
    for (int i = 0; i < k; i++) {
      side *s = evs[i].data.ptr;
      if (!s) {
        for (int fd; (fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
          int up = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); setsockopt(up, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          if (connect(up, (void *)&b, sizeof b) && errno != EINPROGRESS) { close(fd); close(up); continue; }
          side *x = add(fd), *y = add(up); x->other = y; y->other = x;
        }
        continue;
      }
      if (s->dead) continue;
      if (evs[i].events & EPOLLOUT && s->len && !flush(s)) copy(s->other);
      if (!s->dead && evs[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) copy(s);
      if (s->dead && ngone < 512) gone[ngone++] = s;
    }
    for (int i = 0; i < ngone; i++) { free(gone[i]->held); free(gone[i]->other->held); free(gone[i]->other); free(gone[i]); }
  }
}
