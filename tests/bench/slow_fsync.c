/* Preloaded: every flush takes SLOW_FSYNC_MS longer, as on an SD card; and, while the file SLOW_FSYNC_FILE is there,
   as many milliseconds longer as stand in it, or until it goes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void nap(long ms) {
  struct timespec pause = {ms / 1000, (ms % 1000) * 1000000L};
  nanosleep(&pause, NULL);
}

static long asked(const char *path) {
  long ms = 0;
  FILE *file = path ? fopen(path, "r") : NULL;
  if (file) {
    if (fscanf(file, "%ld", &ms) != 1) ms = 0;
    fclose(file);
  }
  return ms;
}

static void wait_a_little(void) {
  const char *given = getenv("SLOW_FSYNC_MS");
  long waited;
  nap(given ? atol(given) : 0);
  for (waited = 0; waited < asked(getenv("SLOW_FSYNC_FILE")); waited += 20) nap(20);
}

int fsync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_a_little();
  return real(fd);
}

int fdatasync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_a_little();
  return real(fd);
}
