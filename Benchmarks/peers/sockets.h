// A listening socket on loopback whose port the kernel chooses, and a loop that serves it with
// epoll on one thread.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

enum { CONNECTION_BYTES = 1 << 18, MOST_CONNECTIONS = 4096 };

typedef struct {
    size_t filled;
    char bytes[CONNECTION_BYTES];
} Connection;

// Writes everything; waits where the socket is full.
static inline int write_all(int socket, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = send(socket, bytes, count, MSG_NOSIGNAL);
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd interest = {.fd = socket, .events = POLLOUT};
            poll(&interest, 1, 1000);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

// A listening socket on loopback; says "listening HOST:PORT" on standard output.
static inline int listen_on_loopback(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1024) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        stop_with("cannot listen");
    printf("listening 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

// Says "listening HOST:PORT" and serves until standard input is closed, so that no peer outlives
// the benchmark that started it. `serve` takes what a connection has sent and says how many bytes
// of it are done with, or -1 to close.
static inline int serve_until_input_ends(ssize_t (*serve)(int socket, char *bytes, size_t count)) {
    int listener = listen_on_loopback(), yes = 1;
    static Connection *connections[MOST_CONNECTIONS];
    int loop = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = STDIN_FILENO;
    epoll_ctl(loop, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    while (1) {
        struct epoll_event events[128];
        int count = epoll_wait(loop, events, 128, -1);
        for (int place = 0; place < count; place++) {
            int ready = events[place].data.fd;
            if (ready == STDIN_FILENO) {
                char ignored[64];
                if (read(STDIN_FILENO, ignored, sizeof ignored) <= 0) return 0;
            } else if (ready == listener) {
                int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (accepted < 0) continue;
                if (accepted >= MOST_CONNECTIONS) {
                    close(accepted);
                    continue;
                }
                setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                if (!connections[accepted]) connections[accepted] = malloc(sizeof(Connection));
                if (!connections[accepted]) stop_with("no memory");
                connections[accepted]->filled = 0;
                event.data.fd = accepted;
                epoll_ctl(loop, EPOLL_CTL_ADD, accepted, &event);
            } else {
                Connection *connection = connections[ready];
                ssize_t got = recv(ready, connection->bytes + connection->filled,
                                   CONNECTION_BYTES - connection->filled, 0);
                if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
                ssize_t done = -1;
                if (got > 0) {
                    connection->filled += (size_t)got;
                    done = serve(ready, connection->bytes, connection->filled);
                }
                if (done < 0 || (done == 0 && connection->filled == CONNECTION_BYTES)) {
                    close(ready);
                    continue;
                }
                connection->filled -= (size_t)done;
                memmove(connection->bytes, connection->bytes + done, connection->filled);
            }
        }
    }
}

// The port in the text "HOST:PORT" or "PORT".
static inline int port_of(const char *address) {
    const char *colon = strrchr(address, ':');
    return atoi(colon ? colon + 1 : address);
}

// A connection to "HOST:PORT" on loopback, which never waits.
static inline int connect_to(const char *address) {
    int client = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                 .sin_port = htons((uint16_t)port_of(address))};
    if (connect(client, (struct sockaddr *)&server, sizeof server) != 0)
        stop_with("cannot connect");
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(client, F_SETFL, O_NONBLOCK);
    return client;
}
