/* Load on a ZooKeeper server, from a program that costs little: raw sockets, requests pipelined, one thread.
 *
 *     zookeeper-load PORT read|write|watch CONNECTIONS WINDOW SECONDS ZNODES BYTES [PID ...]
 *
 * Makes /bench/0 .. /bench/ZNODES-1 of BYTES each unless they are there, then keeps WINDOW requests (getData or setData of a znode by chance)
 * under way on every connection. `watch` instead leaves one watch on every znode, then sets every znode once and waits for all events.
 * Prints one JSON object: operations, errors, seconds, latencies in microseconds, and the CPU the processes PID ... used meanwhile.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 1, GET_DATA = 4, SET_DATA = 5, OK = 0, EVENT = -1, NODE_EXISTS = -110, MAX_WINDOW = 4096, INPUT = 1 << 18, CREATED_AT_ONCE = 500 };

struct connection {
  int socket;
  int xid;
  int outstanding;
  uint64_t sent_at[MAX_WINDOW]; /* of the requests under way, a ring */
  int oldest;
  uint8_t input[INPUT];
  size_t input_length;
  uint8_t *output;
  size_t output_length, output_sent;
};

static uint32_t latency_counts[1 << 20]; /* by microsecond; the last one holds all that took longer */
static uint64_t operations, errors;
static int payload_bytes, znodes, window;
static uint8_t *payload;
static int watching, next_znode; /* znodes one after another, each once, instead of by chance */
static uint64_t events_seen;

static void die(const char *what) {
  fprintf(stderr, "zookeeper-load: %s: %s\n", what, errno ? strerror(errno) : "unexpected answer");
  exit(1);
}

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint64_t chance(void) {
  static uint64_t state = 88172645463325252ull;
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static uint8_t *put_int(uint8_t *at, int32_t value) {
  uint32_t big = htonl((uint32_t)value);
  memcpy(at, &big, 4);
  return at + 4;
}

static int32_t get_int(const uint8_t *at) {
  uint32_t big;
  memcpy(&big, at, 4);
  return (int32_t)ntohl(big);
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, int length) {
  at = put_int(at, length);
  memcpy(at, bytes, length);
  return at + length;
}

/* Writes one framed request; gives its end. */
static uint8_t *put_request(uint8_t *frame, int xid, int op, const char *path) {
  uint8_t *at = put_int(put_int(frame + 4, xid), op);
  at = put_bytes(at, path, (int)strlen(path));
  if (op == GET_DATA) *at++ = watching;
  if (op != GET_DATA) at = put_bytes(at, payload, payload_bytes);
  if (op == SET_DATA) at = put_int(at, -1); /* any version */
  if (op == CREATE) {
    at = put_int(put_int(at, 1), 31); /* one ACL entry, all rights */
    at = put_bytes(at, "world", 5);
    at = put_bytes(at, "anyone", 6);
    at = put_int(at, 0); /* persistent */
  }
  put_int(frame, (int32_t)(at - frame - 4));
  return at;
}

static void write_all(int socket, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t count = write(socket, bytes, length);
    if (count <= 0) die("write");
    bytes += count;
    length -= count;
  }
}

static void read_all(int socket, uint8_t *into, size_t length) {
  while (length > 0) {
    ssize_t count = read(socket, into, length);
    if (count <= 0) die("read");
    into += count;
    length -= count;
  }
}

static void open_session(struct connection *c, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1;
  c->socket = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->socket, (struct sockaddr *)&address, sizeof address)) die("connect");
  setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  uint8_t hello[49] = {0};
  put_int(hello, 45);
  put_int(hello + 16, 30000); /* session timeout, ms */
  put_int(hello + 28, 16);    /* an empty password of 16 bytes; then: not read-only */
  write_all(c->socket, hello, sizeof hello);
  uint8_t answer[256];
  read_all(c->socket, answer, 4);
  int length = get_int(answer);
  if (length < 36 || length > (int)sizeof answer) die("session");
  read_all(c->socket, answer, length);
  c->output = malloc((size_t)MAX_WINDOW * (payload_bytes + 128));
}

static int answer(struct connection *c) {
  uint8_t head[4];
  read_all(c->socket, head, 4);
  int length = get_int(head);
  if (length < 16 || length > INPUT) die("answer");
  read_all(c->socket, c->input, length);
  return get_int(c->input + 12);
}

static int ask(struct connection *c, int op, const char *path) {
  uint8_t *frame = c->output;
  write_all(c->socket, frame, put_request(frame, ++c->xid, op, path) - frame);
  return answer(c);
}

static void prepare(struct connection *c) {
  char path[64];
  int code = ask(c, CREATE, "/bench");
  if (code != OK && code != NODE_EXISTS) die("create /bench");
  snprintf(path, sizeof path, "/bench/%d", znodes - 1);
  if (ask(c, GET_DATA, path) == OK) return; /* an earlier run made them */
  for (int first = 0; first < znodes; first += CREATED_AT_ONCE) {
    int last = first + CREATED_AT_ONCE < znodes ? first + CREATED_AT_ONCE : znodes;
    uint8_t *at = c->output;
    for (int i = first; i < last; i++) {
      snprintf(path, sizeof path, "/bench/%d", i);
      at = put_request(at, ++c->xid, CREATE, path);
    }
    write_all(c->socket, c->output, at - c->output);
    for (int i = first; i < last; i++) {
      code = answer(c);
      if (code != OK && code != NODE_EXISTS) die("create");
    }
  }
}

static void flush(struct connection *c) {
  while (c->output_sent < c->output_length) {
    ssize_t count = write(c->socket, c->output + c->output_sent, c->output_length - c->output_sent);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) die("write");
    c->output_sent += count;
  }
  c->output_sent = c->output_length = 0;
}

static void fill(struct connection *c, int op) {
  if (c->output_length > 0) return; /* the socket is full: what is formed leaves first */
  uint64_t now = now_us();
  uint8_t *at = c->output;
  char path[64];
  while (c->outstanding < window && !(watching && next_znode == znodes)) {
    snprintf(path, sizeof path, "/bench/%d", watching ? next_znode++ : (int)(chance() % znodes));
    at = put_request(at, ++c->xid, op, path);
    c->sent_at[(c->oldest + c->outstanding++) % MAX_WINDOW] = now;
  }
  c->output_length = at - c->output;
  flush(c);
}

static void receive(struct connection *c) {
  ssize_t count = read(c->socket, c->input + c->input_length, INPUT - c->input_length);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) die("read");
  c->input_length += count;
  uint64_t now = now_us();
  size_t at = 0;
  while (c->input_length - at >= 4) {
    size_t length = (size_t)get_int(c->input + at);
    if (length < 16 || length > INPUT - 4) die("answer");
    if (c->input_length - at < 4 + length) break;
    if (get_int(c->input + at + 4) == EVENT) {
      events_seen++;
      at += 4 + length;
      continue;
    }
    if (get_int(c->input + at + 4 + 12) != OK) errors++;
    uint64_t took = now - c->sent_at[c->oldest];
    c->oldest = (c->oldest + 1) % MAX_WINDOW;
    c->outstanding--;
    operations++;
    latency_counts[took < (1 << 20) - 1 ? took : (1 << 20) - 1]++;
    at += 4 + length;
  }
  memmove(c->input, c->input + at, c->input_length - at);
  c->input_length -= at;
}

static int percentile(double share) {
  uint64_t seen = 0, operations = 0;
  for (int us = 0; us < 1 << 20; us++) operations += latency_counts[us];
  for (int us = 0; us < 1 << 20; us++) {
    seen += latency_counts[us];
    if (seen >= operations * share) return us;
  }
  return (1 << 20) - 1;
}

static uint64_t cpu_us(char **pids) {
  uint64_t ticks = 0;
  for (; *pids; pids++) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", *pids);
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    unsigned long user, kernel;
    if (sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2) die(path);
    ticks += user + kernel;
  }
  return ticks * 1000000 / sysconf(_SC_CLK_TCK);
}

/* Until the time is over, or with watches until every znode and every event has been seen. */
static void run(int epoll, struct connection *connections, int count, int op, double seconds, uint64_t events_due) {
  uint64_t end = now_us() + (uint64_t)(seconds * 1e6);
  next_znode = 0;
  operations = 0;
  for (int i = 0; i < count; i++) fill(&connections[i], op);
  struct epoll_event events[64];
  while (watching ? operations < (uint64_t)znodes || events_seen < events_due : now_us() < end) {
    int ready = epoll_wait(epoll, events, 64, 100);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      flush(c);
      if (events[i].events & EPOLLIN) {
        uint64_t before;
        do { /* edge-triggered: until there is no more */
          before = operations + events_seen;
          receive(c);
        } while (operations + events_seen > before);
      }
      fill(c, op);
    }
    if (watching && ready == 0 && now_us() > end) die("waiting for watches");
  }
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr, "usage: zookeeper-load PORT read|write|watch CONNECTIONS WINDOW SECONDS ZNODES BYTES [PID ...]\n");
    return 2;
  }
  int count = atoi(argv[3]);
  double seconds = atof(argv[5]);
  window = atoi(argv[4]);
  znodes = atoi(argv[6]);
  payload_bytes = atoi(argv[7]);
  if (window < 1 || window > MAX_WINDOW || count < 1 || znodes < 1 || payload_bytes > 100000) die("arguments");
  payload = malloc(payload_bytes);
  memset(payload, 'x', payload_bytes);
  struct connection *connections = calloc(count, sizeof *connections);
  int epoll = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    open_session(&connections[i], atoi(argv[1]));
    if (i == 0) prepare(&connections[0]);
    fcntl(connections[i].socket, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &connections[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].socket, &event);
  }
  char **pids = argv + 8;
  uint64_t start = now_us(), cpu_before = cpu_us(pids);
  if (strcmp(argv[2], "watch") == 0) {
    watching = 1;
    run(epoll, connections, count, GET_DATA, seconds, 0);
    run(epoll, connections, count, SET_DATA, seconds, znodes);
  } else {
    run(epoll, connections, count, strcmp(argv[2], "read") == 0 ? GET_DATA : SET_DATA, seconds, 0);
  }
  uint64_t cpu = cpu_us(pids) - cpu_before;
  double took = (now_us() - start) / 1e6;
  printf("{\"operations\":%llu,\"errors\":%llu,\"seconds\":%.3f,\"p50\":%d,\"p99\":%d,\"max\":%d,\"cpu\":%llu}\n",
         (unsigned long long)operations, (unsigned long long)errors, took, percentile(0.5), percentile(0.99), percentile(1),
         (unsigned long long)cpu);
  return 0;
}
