/* Loaded before a broker (LD_PRELOAD): notes every write and sync of its data file and of its log in order, so
 * that images can be made of what a power cut would have left; and makes one of these calls fail.
 *
 *   POWER_LOG=file      where to note; each record is
 *                         u32 kind | u32 file | u64 offset | u64 length | the bytes written
 *                       files: 0 data.mdb, 1 batches.log
 *                       kinds: 1 write, 2 write that is on disk when it returns (O_DSYNC),
 *                         3 sync begins, 4 sync has ended, 5 the file has this length now,
 *                         6 the write of kind 2 before it has returned
 *   POWER_NO_SYNC=1     syncs return at once and are not noted: a disk that lies
 *   POWER_FAULT=what:n  from the n-th such call on, of the data file: eio-write, eio-meta, eio-sync, short-write,
 *                       enospc-write, hang-sync, kill-write, kill-meta, kill-sync; of the log, once its file is
 *                       made: eio-log, short-log, enospc-log, hang-log, kill-log
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
enum call { DATA_WRITE, META_WRITE, SYNC, LOG_WRITE, CALLS };
enum file { NONE = -1, DATA, LOG, FILES };

struct head { uint32_t kind, file; uint64_t offset, length; };

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

/* Which file of the broker's store a descriptor is; NONE: another one, such as a scratch file. */
static enum file file_of(int fd) {
  char link[40], path[4096];
  static const char *const ends[FILES] = { "/store/data.mdb", "/store/batches.log" };
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  long n = syscall(SYS_readlink, link, path, sizeof path);
  for (enum file file = DATA; file < FILES; file++) {
    long length = strlen(ends[file]);
    if (n > length && memcmp(path + n - length, ends[file], length) == 0) return file;
  }
  return NONE;
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

static void note(enum file file, uint32_t kind, uint64_t offset, const void *bytes, uint64_t length, uint64_t carried) {
  if (log_fd < 0) return;
  struct head head = { kind, file, offset, length };
  pthread_mutex_lock(&lock);
  put(&head, sizeof head);
  put(bytes, carried);
  pthread_mutex_unlock(&lock);
}

/* Whether the fault of that name has come, now that one more such call is made. */
static int comes(enum call call, const char *name) {
  return strcmp(fault, name) == 0 && calls[call] >= fault_at;
}

/* What becomes of a write to the log: 0 it is done, else errno; `*length` may become less. libuv goes on behind a short
 * write, and tells of one where the rest fails. */
static int before_log_write(size_t *length) {
  __atomic_add_fetch(&calls[LOG_WRITE], 1, __ATOMIC_SEQ_CST);
  if (comes(LOG_WRITE, "kill-log")) raise(SIGKILL);
  if (comes(LOG_WRITE, "hang-log")) for (;;) pause();
  if (comes(LOG_WRITE, "eio-log")) return EIO;
  if (comes(LOG_WRITE, "enospc-log")) return ENOSPC;
  if (comes(LOG_WRITE, "short-log")) {
    if (calls[LOG_WRITE] > fault_at) return EIO;
    *length = 512;
  }
  return 0;
}

/* The same for a write to either file. */
static int before_write(enum file file, int synced, size_t *length) {
  if (file == LOG) return synced ? before_log_write(length) : 0; /* its file is being made */
  enum call call = synced ? META_WRITE : DATA_WRITE;
  __atomic_add_fetch(&calls[call], 1, __ATOMIC_SEQ_CST);
  if (comes(META_WRITE, "kill-meta") || comes(DATA_WRITE, "kill-write")) raise(SIGKILL);
  if (synced) return comes(call, "eio-meta") ? EIO : 0;
  if (comes(call, "eio-write")) return EIO;
  if (comes(call, "enospc-write")) return ENOSPC;
  if (comes(call, "short-write") && *length > 512) *length = 512;
  return 0;
}

static ssize_t write_at(enum file file, int fd, const void *bytes, size_t length, off_t offset) {
  int synced = is_synced(fd), error = before_write(file, synced, &length);
  if (error != 0) { errno = error; return -1; }
  int lasts = synced && !no_sync;
  note(file, lasts ? WRITE_SYNCED : WRITE, offset, bytes, length, length);
  ssize_t n = syscall(SYS_pwrite64, fd, bytes, length, offset);
  if (lasts && n == (ssize_t)length) note(file, WRITE_ENDS, 0, NULL, 0, 0);
  return n;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
  enum file file = file_of(fd);
  if (file != NONE) return write_at(file, fd, bytes, length, offset);
  return syscall(SYS_pwrite64, fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  return pwrite64(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  enum file file = file_of(fd);
  if (file == NONE) return syscall(SYS_write, fd, bytes, length);
  off_t at = lseek(fd, 0, SEEK_CUR);
  ssize_t n = write_at(file, fd, bytes, length, at);
  if (n > 0) lseek(fd, at + n, SEEK_SET);
  return n;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
  enum file file = file_of(fd);
  if (file == NONE) return syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
  size_t length = 0, at = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  char *all = malloc(length);
  for (int i = 0; i < count; i++) {
    memcpy(all + at, parts[i].iov_base, parts[i].iov_len);
    at += parts[i].iov_len;
  }
  ssize_t n = write_at(file, fd, all, length, offset);
  int error = errno;
  free(all);
  errno = error;
  return n;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(fd, parts, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (file_of(fd) == NONE) return syscall(SYS_writev, fd, parts, count);
  off_t at = lseek(fd, 0, SEEK_CUR);
  ssize_t n = pwritev64(fd, parts, count, at);
  if (n > 0) lseek(fd, at + n, SEEK_SET);
  return n;
}

static int sync_file(int fd, long number) {
  enum file file = file_of(fd);
  if (file == NONE) return syscall(number, fd);
  if (file == DATA) {
    __atomic_add_fetch(&calls[SYNC], 1, __ATOMIC_SEQ_CST);
    if (comes(SYNC, "kill-sync")) raise(SIGKILL);
    if (comes(SYNC, "eio-sync")) { errno = EIO; return -1; }
    if (comes(SYNC, "hang-sync")) for (;;) pause();
  }
  if (no_sync) return 0;
  note(file, SYNC_BEGINS, 0, NULL, 0, 0);
  int result = syscall(number, fd);
  if (result == 0) note(file, SYNC_ENDS, 0, NULL, 0, 0);
  return result;
}

int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }
int fsync(int fd) { return sync_file(fd, SYS_fsync); }

int ftruncate64(int fd, off_t length) {
  enum file file = file_of(fd);
  if (file != NONE) note(file, LENGTH, 0, NULL, length, 0);
  return syscall(SYS_ftruncate, fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* Writing through the map would escape all of this: nobody may. */
int msync(void *start, size_t length, int flags) {
  (void)start, (void)length, (void)flags;
  abort();
}
