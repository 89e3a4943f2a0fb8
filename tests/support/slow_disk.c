/* Stands between SQLite and the disk: loaded before the C library, it asks a test before each commit's flush of the
 * write-ahead log and tells it after. All else is flushed as ever.
 *
 * The test listens on the Unix socket SLOW_DISK. Before a flush '?' goes there, and this waits for the answer: 'F'
 * means to fail it, anything else to do it. After a flush that worked '.' goes there, and this waits again: so the test
 * has counted the flush before the host hears of it. A test that is gone changes nothing. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int test = -1;

static int is_commit(int file) {
    static const char name[] = "/hookmill.db-wal";
    const size_t length = sizeof name - 1;
    char link[32], path[PATH_MAX];
    /* What is committed; the thread behind it, which makes checkpoints, flushes the log too. */
    if (pthread_getname_np(pthread_self(), link, sizeof link) != 0 || strcmp(link, "store-writer") != 0) {
        return 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t found = readlink(link, path, sizeof path);
    return found >= (ssize_t)length && memcmp(path + found - length, name, length) == 0;
}

static int connected(void) {
    const char *path = getenv("SLOW_DISK");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || strlen(path) >= sizeof address.sun_path) {
        return -1;
    }
    strcpy(address.sun_path, path);
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made >= 0 && connect(made, (struct sockaddr *)&address, sizeof address) != 0) {
        close(made);
        return -1;
    }
    return made;
}

static char ask(char word) {
    char answer = 0;
    if (send(test, &word, 1, MSG_NOSIGNAL) != 1) {
        return 0;
    }
    while (recv(test, &answer, 1, 0) < 0 && errno == EINTR) {
    }
    return answer;
}

static int flush(int file, long call) {
    if (!is_commit(file)) {
        return (int)syscall(call, file);
    }
    pthread_mutex_lock(&turn);
    if (test < 0) {
        test = connected();
    }
    int result = -1;
    int fault = EIO;
    if (ask('?') != 'F') {
        result = (int)syscall(call, file);
        fault = errno;
        if (result == 0) {
            ask('.');
        }
    }
    pthread_mutex_unlock(&turn);
    errno = fault;
    return result;
}

int fsync(int file) {
    return flush(file, SYS_fsync);
}

int fdatasync(int file) {
    return flush(file, SYS_fdatasync);
}
