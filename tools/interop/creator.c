/* Creates sequential znodes below a path, one after another, through whatever happens to its servers, until it is told to
 * stop by a line on standard input. Prints the path of each create that was acknowledged.
 *
 *     creator host1:port1,host2:port2 /parent
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

static void watcher(zhandle_t *handle, int type, int state, const char *path, void *context) {
  if (type == ZOO_SESSION_EVENT && state == ZOO_EXPIRED_SESSION_STATE) {
    fprintf(stderr, "the session expired\n");
    exit(1);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: creator servers parent\n");
    return 2;
  }
  zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
  zhandle_t *handle = zookeeper_init(argv[1], watcher, 30000, 0, 0, 0);
  if (!handle) {
    perror("zookeeper_init");
    return 1;
  }
  char path[512], created[512];
  snprintf(path, sizeof path, "%s/n-", argv[2]);
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  while (poll(&input, 1, 0) == 0) {
    int code = zoo_create(handle, path, "x", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, created, sizeof created);
    if (code == ZOK) {
      puts(created);
      fflush(stdout);
    } else {
      usleep(20000);
    }
  }
  zookeeper_close(handle);
  return 0;
}
