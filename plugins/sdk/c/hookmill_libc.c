/* The system functions that the C library needs, implemented within the plugin, so that it imports only the contract.
 *
 * Memory is never reused: an instance lives for one call, and bumping a pointer costs a tenth of a general allocator.
 * Printed output goes to the attempt's log, line by line. Time, files, the environment and randomness are not
 * implemented: a plugin that uses them cannot be built. */

#ifdef __wasm__

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#include "hookmill.h"

#define PAGE ((size_t)65536)
/* Each block is preceded by its size, for realloc. WebAssembly requires no alignment; 8 bytes are the fastest. */
#define ALIGNED(size) (((size) + 7) & ~(size_t)7)
#define HEADER ((size_t)8)

extern unsigned char __heap_base;
static uintptr_t heap_end;

/* Grows the memory up to `end`, by at least 1 MiB, since each growth is expensive. */
static bool reach(uintptr_t end) {
  size_t have = __builtin_wasm_memory_size(0) * PAGE;
  if (end <= have) return true;
  size_t pages = (end - have + PAGE - 1) / PAGE;
  return __builtin_wasm_memory_grow(0, pages < 16 ? 16 : pages) != SIZE_MAX;
}

void *malloc(size_t size) {
  if (heap_end == 0) heap_end = ALIGNED((uintptr_t)&__heap_base);
  if (size > SIZE_MAX - heap_end - HEADER - 7 || !reach(heap_end + HEADER + ALIGNED(size))) return NULL;
  unsigned char *block = (unsigned char *)heap_end + HEADER;
  *(size_t *)heap_end = size;
  heap_end += HEADER + ALIGNED(size);
  return block;
}

void free(void *block) { (void)block; }

void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
  /* Memory is zero initially and never reused. */
  return malloc(bytes);
}

void *realloc(void *block, size_t size) {
  if (!block) return malloc(size);
  size_t *had = (size_t *)((unsigned char *)block - HEADER);
  if (size <= *had) return block;
  /* The last block grows in place. */
  if ((uintptr_t)block + ALIGNED(*had) == heap_end && size <= SIZE_MAX - heap_end && reach(heap_end + ALIGNED(size))) {
    heap_end = (uintptr_t)block + ALIGNED(size);
    *had = size;
    return block;
  }
  void *moved = malloc(size);
  return moved ? memcpy(moved, block, *had) : NULL;
}

_Noreturn void __assert_fail(const char *expression, const char *file, int line, const char *function) {
  hookmill_error("assertion failed: %s, in %s, at %s:%d", expression, function, file, line);
  __builtin_trap();
}

_Noreturn void abort(void) {
  hookmill_error("abort() was called");
  __builtin_trap();
}

#define LINE_BYTES_MAX 1000

/* Unfinished lines of standard output and standard error. */
static struct {
  uint8_t bytes[LINE_BYTES_MAX];
  size_t length;
} lines[2];

static void end_line(__wasi_fd_t fd) {
  hookmill_text line = {lines[fd - 1].bytes, lines[fd - 1].length};
  hookmill_plugin_log_write(fd == 1 ? HOOKMILL_PLUGIN_LOG_LEVEL_INFO : HOOKMILL_PLUGIN_LOG_LEVEL_WARN, &line);
  lines[fd - 1].length = 0;
}

/* The symbol of a WASI function in the C library: a function that is defined here is not imported. */
#define WASI(function) __imported_wasi_snapshot_preview1_##function

__wasi_errno_t WASI(fd_write)(__wasi_fd_t fd, const __wasi_ciovec_t *pieces, size_t count, __wasi_size_t *written) {
  if (fd != 1 && fd != 2) return __WASI_ERRNO_BADF;
  *written = 0;
  for (size_t i = 0; i < count; i++) {
    for (size_t at = 0; at < pieces[i].buf_len; at++) {
      uint8_t byte = pieces[i].buf[at];
      bool starts_character = (byte & 0xC0) != 0x80;
      if (byte == '\n' || (lines[fd - 1].length >= LINE_BYTES_MAX - 4 && starts_character)) end_line(fd);
      if (lines[fd - 1].length == LINE_BYTES_MAX) end_line(fd);
      if (byte != '\n') lines[fd - 1].bytes[lines[fd - 1].length++] = byte;
    }
    *written += pieces[i].buf_len;
  }
  return 0;
}

/* Defined only if the plugin uses stdio. */
__attribute__((weak)) int fflush(FILE *file);

/* Writes unfinished lines to the log at the end of the call. */
void hookmill_flush(void) {
  if (fflush) fflush(NULL);
  for (__wasi_fd_t fd = 1; fd <= 2; fd++)
    if (lines[fd - 1].length > 0) end_line(fd);
}

__wasi_errno_t WASI(fd_close)(__wasi_fd_t fd) {
  (void)fd;
  return 0;
}

__wasi_errno_t WASI(fd_seek)(__wasi_fd_t fd, __wasi_filedelta_t by, __wasi_whence_t from, __wasi_filesize_t *at) {
  (void)fd, (void)by, (void)from, (void)at;
  return __WASI_ERRNO_SPIPE;
}

/* Reports a terminal, so that the output is line buffered. */
__wasi_errno_t WASI(fd_fdstat_get)(__wasi_fd_t fd, __wasi_fdstat_t *stat) {
  if (fd > 2) return __WASI_ERRNO_BADF;
  *stat = (__wasi_fdstat_t){.fs_filetype = __WASI_FILETYPE_CHARACTER_DEVICE, .fs_rights_base = __WASI_RIGHTS_FD_WRITE};
  return 0;
}

_Noreturn void WASI(proc_exit)(__wasi_exitcode_t code) {
  hookmill_error("exit(%u) was called", (unsigned)code);
  __builtin_trap();
}

#endif
