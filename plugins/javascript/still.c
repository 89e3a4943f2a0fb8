/* Stands the clock and chance still while a component is built (build.sh preloads it). QuickJS keeps the time of its
   start and the seeds of its hash tables in its memory, which the component holds as it was when the build ended. */

#include <string.h>
#include <sys/random.h>
#include <time.h>

ssize_t getrandom(void *bytes, size_t length, unsigned int flags) {
    (void)flags;
    memset(bytes, 42, length);
    return (ssize_t)length;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    (void)clock;
    *time = (struct timespec){.tv_sec = 1};
    return 0;
}
