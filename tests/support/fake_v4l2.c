/* Preloaded into the camera process: a webcam at $FAKE_V4L2/video0, at the level of the kernel's calls, and its second
 * node at video1, which never has H.264.
 *
 * It gives 320 x 240 YUYV at 10 pictures a second, as the kernel documents V4L2 streaming by mmap; where there is a file
 * $FAKE_V4L2/stream it can give H.264 too: each picture there is its length (32 bits, little endian) and its bytes, and
 * after the last comes the first again. The first word of
 * $FAKE_V4L2/mode (mode1 of the second node) is what befalls it: "ok", "gone" (unplugged: the node vanishes and calls on it fail with ENODEV),
 * "busy" (somebody else streams), "denied", "odd" (a pixel format nobody can show), "meta" (a node without capture),
 * "mute" (connected, but no picture comes).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 320, HEIGHT = 240, SIZE = WIDTH * HEIGHT * 2, STRIDE = (SIZE + 4095) / 4096 * 4096, COUNT = 4, STEP_US = 100000 };
struct node {
  const char *name, *mode;
  int fd, streaming, queue[COUNT + 1], first, last;
  int64_t next_us;
  uint32_t number, format;
};
static struct node nodes[2] = {
    {.name = "video0", .mode = "mode", .fd = -1, .format = V4L2_PIX_FMT_YUYV},
    {.name = "video1", .mode = "mode1", .fd = -1, .format = V4L2_PIX_FMT_YUYV},
};

static struct node *node_of(int fd) {
  for (int n = 0; n < 2; n++)
    if (fd >= 0 && nodes[n].fd == fd) return &nodes[n];
  return NULL;
}

static int mode_is(const struct node *node, const char *name) {
  char path[4096], word[32] = "ok";
  snprintf(path, sizeof path, "%s/%s", getenv("FAKE_V4L2"), node->mode);
  FILE *file = fopen(path, "r");
  if (file) {
    if (fscanf(file, "%31s", word) != 1) strcpy(word, "ok");
    fclose(file);
  }
  return strcmp(word, name) == 0;
}

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int fail(int error) {
  errno = error;
  return -1;
}

static FILE *coded(void) {
  char path[4096];
  snprintf(path, sizeof path, "%s/stream", getenv("FAKE_V4L2"));
  return fopen(path, "rb");
}

static int is_coded(const struct node *node) {
  FILE *file = node == nodes ? coded() : NULL;
  if (file) fclose(file);
  return file != NULL;
}

static pthread_mutex_t drawing = PTHREAD_MUTEX_INITIALIZER; /* each node is read by a thread of its own */

/* The next picture of the stream; 0 when there is none. */
static uint32_t take_coded(uint8_t *picture) {
  static long at;
  uint32_t length = 0;
  FILE *file = coded();
  if (!file) return 0;
  for (int turn = 0; turn < 2; turn++, at = 0) {
    fseek(file, at, SEEK_SET);
    if (fread(&length, sizeof length, 1, file) == 1 && length <= SIZE && fread(picture, length, 1, file) == 1) {
      at = ftell(file);
      break;
    }
    length = 0;
  }
  fclose(file);
  return length;
}

static int open_ours(struct node *node) {
  if (mode_is(node, "gone")) return fail(ENOENT);
  if (mode_is(node, "denied")) return fail(EACCES);
  node->fd = memfd_create(node->name, 0);
  if (ftruncate(node->fd, (off_t)COUNT * STRIDE) != 0) return -1;
  node->streaming = node->first = node->last = 0;
  return node->fd;
}

#define OPEN(NAME)                                                                  \
  int NAME(const char *path, int flags, ...) {                                      \
    char ours[4096];                                                                \
    const char *folder = getenv("FAKE_V4L2");                                       \
    va_list rest;                                                                   \
    va_start(rest, flags);                                                          \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;         \
    va_end(rest);                                                                   \
    for (int n = 0; folder && n < 2; n++) {                                         \
      snprintf(ours, sizeof ours, "%s/%s", folder, nodes[n].name);                  \
      if (strcmp(path, ours) == 0) return open_ours(&nodes[n]);                     \
    }                                                                               \
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #NAME))(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

static void get_format(const struct node *node, struct v4l2_format *found) {
  memset(&found->fmt, 0, sizeof found->fmt);
  found->fmt.pix.width = WIDTH;
  found->fmt.pix.height = HEIGHT;
  found->fmt.pix.pixelformat = mode_is(node, "odd") ? v4l2_fourcc('p', 'R', 'A', 'A') : node->format;
  found->fmt.pix.field = V4L2_FIELD_NONE;
  found->fmt.pix.bytesperline = node->format == V4L2_PIX_FMT_YUYV ? WIDTH * 2 : 0;
  found->fmt.pix.sizeimage = SIZE;
}

static void set_format(struct node *node, struct v4l2_format *wanted) {
  int h264 = wanted->fmt.pix.pixelformat == V4L2_PIX_FMT_H264 && is_coded(node);
  node->format = h264 ? V4L2_PIX_FMT_H264 : V4L2_PIX_FMT_YUYV;
  get_format(node, wanted);
}

static void describe(struct v4l2_buffer *buffer) {
  buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  buffer->memory = V4L2_MEMORY_MMAP;
  buffer->length = SIZE;
  buffer->m.offset = buffer->index * STRIDE;
}

static int take(struct node *node, struct v4l2_buffer *buffer) {
  static uint8_t picture[SIZE];
  for (;;) {
    if (mode_is(node, "gone")) return fail(ENODEV);
    if (!node->streaming) return fail(EINVAL);
    if (!mode_is(node, "mute") && node->first != node->last && now_us() >= node->next_us) break;
    if (fcntl(node->fd, F_GETFL) & O_NONBLOCK) return fail(EAGAIN);
    usleep(5000);
  }
  uint32_t length = SIZE;
  pthread_mutex_lock(&drawing);
  if (node->format == V4L2_PIX_FMT_H264) length = take_coded(picture);
  else for (int at = 0; at < SIZE; at += 2) {
    int x = at / 2 % WIDTH, y = at / 2 / WIDTH;
    picture[at] = (uint8_t)((x / 40 + y / 40) % 2 * 90 + 60 + rand() % 5);
    picture[at + 1] = 128;
  }
  buffer->index = (uint32_t)node->queue[node->first];
  node->first = (node->first + 1) % (COUNT + 1);
  describe(buffer);
  ssize_t written = pwrite(node->fd, picture, length, (off_t)buffer->m.offset);
  pthread_mutex_unlock(&drawing);
  if (written != (ssize_t)length) return -1;
  buffer->bytesused = length;
  buffer->sequence = node->number++;
  buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
  buffer->timestamp.tv_sec = now_us() / 1000000;
  buffer->timestamp.tv_usec = now_us() % 1000000;
  node->next_us += STEP_US;
  return 0;
}

static int control(struct node *node, unsigned long request, void *given) {
  struct v4l2_buffer *buffer = given;
  if (mode_is(node, "gone")) return fail(ENODEV);
  switch (request) {
  case VIDIOC_QUERYCAP: {
    struct v4l2_capability *found = given;
    memset(found, 0, sizeof *found);
    found->capabilities = (mode_is(node, "meta") ? V4L2_CAP_META_CAPTURE : V4L2_CAP_VIDEO_CAPTURE) | V4L2_CAP_STREAMING;
    return 0;
  }
  case VIDIOC_ENUM_FMT: {
    struct v4l2_fmtdesc *found = given;
    if (found->index > (uint32_t)is_coded(node)) return fail(EINVAL);
    found->pixelformat = found->index > 0 ? V4L2_PIX_FMT_H264 : mode_is(node, "odd") ? v4l2_fourcc('p', 'R', 'A', 'A') : V4L2_PIX_FMT_YUYV;
    return 0;
  }
  case VIDIOC_S_FMT:
    if (mode_is(node, "busy")) return fail(EBUSY);
    set_format(node, given);
    return 0;
  case VIDIOC_G_FMT:
    get_format(node, given);
    return 0;
  case VIDIOC_G_PARM:
  case VIDIOC_S_PARM: {
    struct v4l2_streamparm *found = given;
    found->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
    found->parm.capture.timeperframe.numerator = STEP_US / 1000;
    found->parm.capture.timeperframe.denominator = 1000;
    return 0;
  }
  case VIDIOC_REQBUFS: {
    struct v4l2_requestbuffers *found = given;
    found->count = COUNT;
    return 0;
  }
  case VIDIOC_QUERYBUF:
    describe(buffer);
    return 0;
  case VIDIOC_QBUF:
    node->queue[node->last] = (int)buffer->index;
    node->last = (node->last + 1) % (COUNT + 1);
    return 0;
  case VIDIOC_DQBUF:
    return take(node, buffer);
  case VIDIOC_STREAMON:
    if (mode_is(node, "busy")) return fail(EBUSY);
    node->streaming = 1;
    node->next_us = now_us() + STEP_US;
    return 0;
  case VIDIOC_STREAMOFF:
    node->streaming = 0;
    return 0;
  case VIDIOC_ENUMINPUT:
    return ((struct v4l2_input *)given)->index == 0 ? 0 : fail(EINVAL);
  case VIDIOC_S_INPUT:
    return 0;
  case VIDIOC_G_INPUT:
    *(int *)given = 0;
    return 0;
  default:
    return fail(ENOTTY);
  }
}

int ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void *given = va_arg(rest, void *);
  va_end(rest);
  struct node *node = node_of(fd);
  if (node && request != FIONBIO) return control(node, request & 0xFFFFFFFFul, given);
  return ((int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl"))(fd, request, given);
}

int poll(struct pollfd *those, nfds_t count, int timeout_ms) {
  struct node *node = count == 1 ? node_of(those[0].fd) : NULL;
  if (!node)
    return ((int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll"))(those, count, timeout_ms);
  int64_t until = now_us() + (int64_t)timeout_ms * 1000;
  for (;;) {
    int gone = mode_is(node, "gone"), ready = !mode_is(node, "mute") && now_us() >= node->next_us;
    those[0].revents = (short)(gone ? POLLERR | POLLHUP : ready ? POLLIN : 0);
    if (gone || ready) return 1;
    if (now_us() >= until) return 0;
    usleep(5000);
  }
}

int close(int fd) {
  struct node *node = node_of(fd);
  if (node) node->fd = -1;
  return ((int (*)(int))dlsym(RTLD_NEXT, "close"))(fd);
}
