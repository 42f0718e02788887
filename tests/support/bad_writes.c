/* Preloaded: while the file BAD_WRITES is there, each write to a segment of footage takes as many milliseconds as its
   first number says, and then fails with the error of its second (0: it goes well), a part of its bytes being written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The error that befalls a write to `fd` now; 0 for none. */
static int befalls(int fd) {
  static const char suffix[] = ".mp4";
  const char *told = getenv("BAD_WRITES");
  char link[64], path[4096];
  long ms = 0;
  int error = 0;
  FILE *file;
  if (told == NULL || access(told, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < (ssize_t)sizeof suffix) return 0;
  path[length] = 0;
  if (strcmp(path + length - (sizeof suffix - 1), suffix) != 0) return 0;
  file = fopen(told, "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%ld %d", &ms, &error) != 2) ms = error = 0;
  fclose(file);
  struct timespec pause = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&pause, NULL);
  return error;
}

static ssize_t plainly(int fd, const void *data, size_t length) {
  return ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(fd, data, length);
}

ssize_t write(int fd, const void *data, size_t length) {
  int error = befalls(fd);
  if (error == 0) return plainly(fd, data, length);
  plainly(fd, data, length / 2);
  errno = error;
  return -1;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  int error = befalls(fd);
  if (error == 0) return ((ssize_t (*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev"))(fd, parts, count);
  if (count > 1) plainly(fd, parts[0].iov_base, parts[0].iov_len);
  plainly(fd, parts[count > 1].iov_base, parts[count > 1].iov_len / 2);
  errno = error;
  return -1;
}
