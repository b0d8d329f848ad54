/* Loaded before a broker (LD_PRELOAD): notes every write and sync of its data file in order, so that
 * images can be made of what a power cut would have left; and makes one of these calls fail.
 *
 *   POWER_LOG=file      where to note; each record is
 *                         u32 kind | u32 0 | u64 offset | u64 length | the bytes written
 *                       kinds: 1 write, 2 write that is on disk when it returns (O_DSYNC),
 *                         3 sync begins, 4 sync has ended, 5 the file has this length now,
 *                         6 the write of kind 2 before it has returned
 *   POWER_NO_SYNC=1     syncs return at once and are not noted: a disk that lies
 *   POWER_FAULT=what:n  from the n-th such call on: eio-write, eio-meta, eio-sync, short-write,
 *                       enospc-write, hang-sync, kill-write, kill-meta, kill-sync
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, WRITE_SYNCED, SYNC_BEGINS, SYNC_ENDS, LENGTH, WRITE_ENDS };
enum call { DATA_WRITE, META_WRITE, SYNC, CALLS };

struct head { uint32_t kind, zero; uint64_t offset, length; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1, no_sync;
static char fault[32];
static long fault_at, calls[CALLS];

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("POWER_LOG"), *wanted = getenv("POWER_FAULT"), *colon;
  if (path) log_fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  no_sync = getenv("POWER_NO_SYNC") != NULL;
  if (wanted && (colon = strchr(wanted, ':')) && colon - wanted < (long)sizeof fault) {
    memcpy(fault, wanted, colon - wanted);
    fault_at = atol(colon + 1);
  }
}

/* Whether a descriptor is the broker's data file, and not that of its scratch files. */
static int watched(int fd) {
  char link[40], path[4096];
  static const char end[] = "/store/data.mdb";
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  long n = syscall(SYS_readlink, link, path, sizeof path);
  return n > (long)sizeof end && memcmp(path + n - (sizeof end - 1), end, sizeof end - 1) == 0;
}

static int is_synced(int fd) { return (fcntl(fd, F_GETFL) & O_DSYNC) != 0; }

static void put(const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    long n = syscall(SYS_write, log_fd, at, length);
    if (n <= 0) abort(); /* a log with holes would prove nothing */
    at += n;
    length -= n;
  }
}

static void note(uint32_t kind, uint64_t offset, const void *bytes, uint64_t length, uint64_t carried) {
  if (log_fd < 0) return;
  struct head head = { kind, 0, offset, length };
  pthread_mutex_lock(&lock);
  put(&head, sizeof head);
  put(bytes, carried);
  pthread_mutex_unlock(&lock);
}

/* Whether the fault of that name has come, now that one more such call is made. */
static int comes(enum call call, const char *name) {
  return strcmp(fault, name) == 0 && calls[call] >= fault_at;
}

/* What becomes of a write: 0 it is done, else errno; `*length` may become less. */
static int before_write(int synced, size_t *length) {
  enum call call = synced ? META_WRITE : DATA_WRITE;
  __atomic_add_fetch(&calls[call], 1, __ATOMIC_SEQ_CST);
  if (comes(META_WRITE, "kill-meta") || comes(DATA_WRITE, "kill-write")) raise(SIGKILL);
  if (synced) return comes(call, "eio-meta") ? EIO : 0;
  if (comes(call, "eio-write")) return EIO;
  if (comes(call, "enospc-write")) return ENOSPC;
  if (comes(call, "short-write") && *length > 512) *length = 512;
  return 0;
}

static ssize_t write_at(int fd, const void *bytes, size_t length, off_t offset) {
  int synced = is_synced(fd), error = before_write(synced, &length);
  if (error != 0) { errno = error; return -1; }
  int lasts = synced && !no_sync;
  note(lasts ? WRITE_SYNCED : WRITE, offset, bytes, length, length);
  ssize_t n = syscall(SYS_pwrite64, fd, bytes, length, offset);
  if (lasts && n == (ssize_t)length) note(WRITE_ENDS, 0, NULL, 0, 0);
  return n;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
  if (watched(fd)) return write_at(fd, bytes, length, offset);
  return syscall(SYS_pwrite64, fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  return pwrite64(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  if (!watched(fd)) return syscall(SYS_write, fd, bytes, length);
  off_t at = lseek(fd, 0, SEEK_CUR);
  ssize_t n = write_at(fd, bytes, length, at);
  if (n > 0) lseek(fd, at + n, SEEK_SET);
  return n;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
  if (!watched(fd)) return syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
  size_t length = 0, at = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  char *all = malloc(length);
  for (int i = 0; i < count; i++) {
    memcpy(all + at, parts[i].iov_base, parts[i].iov_len);
    at += parts[i].iov_len;
  }
  ssize_t n = write_at(fd, all, length, offset);
  int error = errno;
  free(all);
  errno = error;
  return n;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(fd, parts, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (!watched(fd)) return syscall(SYS_writev, fd, parts, count);
  off_t at = lseek(fd, 0, SEEK_CUR);
  ssize_t n = pwritev64(fd, parts, count, at);
  if (n > 0) lseek(fd, at + n, SEEK_SET);
  return n;
}

static int sync_file(int fd, long number) {
  if (!watched(fd)) return syscall(number, fd);
  __atomic_add_fetch(&calls[SYNC], 1, __ATOMIC_SEQ_CST);
  if (comes(SYNC, "kill-sync")) raise(SIGKILL);
  if (comes(SYNC, "eio-sync")) { errno = EIO; return -1; }
  if (comes(SYNC, "hang-sync")) for (;;) pause();
  if (no_sync) return 0;
  note(SYNC_BEGINS, 0, NULL, 0, 0);
  int result = syscall(number, fd);
  if (result == 0) note(SYNC_ENDS, 0, NULL, 0, 0);
  return result;
}

int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }
int fsync(int fd) { return sync_file(fd, SYS_fsync); }

int ftruncate64(int fd, off_t length) {
  if (watched(fd)) note(LENGTH, 0, NULL, length, 0);
  return syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* Writing through the map would escape all of this: nobody may. */
int msync(void *start, size_t length, int flags) {
  (void)start, (void)length, (void)flags;
  abort();
}
