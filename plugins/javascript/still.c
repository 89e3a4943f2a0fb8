/* Fixes the clock and the random numbers during the build of a component (build.sh preloads it). QuickJS keeps its
   start time and the seeds of its hash tables in memory, and the component contains a snapshot of that memory. */

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
