/* A machine that lacks things: loaded before the C library, it fails what the host needs to connect to receivers.
 *
 * While the file POOR_MACHINE exists, a TCP socket cannot be had (EMFILE), and each refusal adds a byte to it. Names that end
 * in ".hang" are looked up for ever. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int socket(int domain, int type, int protocol) {
    static int (*real)(int, int, int);
    if (real == NULL) {
        real = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
    }
    const char *path = getenv("POOR_MACHINE");
    if (path != NULL && (domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_STREAM) {
        int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (file >= 0) {
            ssize_t written = write(file, ".", 1);
            close(file);
            errno = written == 1 ? EMFILE : ENFILE;
            return -1;
        }
    }
    return real(domain, type, protocol);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (real == NULL) {
        real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    }
    size_t length = name == NULL ? 0 : strlen(name);
    while (length > 5 && strcmp(name + length - 5, ".hang") == 0) {
        pause();
    }
    return real(name, service, hints, found);
}
