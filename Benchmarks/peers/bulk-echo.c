// The limit of large messages: bytes there and back over a loopback socket, with epoll on one
// thread at each end, both directions at once, and no copy but the kernel's.
//
//     bulk-echo serve BYTES                             prints its address; ends with its input
//     bulk-echo call HOST:PORT BYTES CALLERS SECONDS    a closed loop on one connection
//
// A caller sends a message of BYTES and waits for as many. CALLERS messages are under way at once.
// The server sends a message back once it is whole, as a server does that has to read it; with
// `serve 1` it sends every byte back as it comes.
#include "sockets.h"

#include <stdbool.h>
#include <stdint.h>

enum { PIECE_BYTES = 1 << 18, MOST_BYTES = 1 << 24, MOST_CALLERS = 64, MOST_PEERS = 1024 };

// What has come of one connection and gone back, counted from its beginning; between the two lie
// bytes in a ring. It is begun anew whenever it is empty, so that little memory stays in use.
typedef struct {
    uint64_t received, sent;
    bool is_blocked;
    char *ring;
    size_t ring_bytes;
} Peer;

static size_t smaller(size_t left, size_t right) { return left < right ? left : right; }

// Watches for room to send if there is none, and for bytes if there is room to keep them.
static void watch(int loop, int socket, bool for_bytes, bool for_room) {
    struct epoll_event event = {
        .events = (for_bytes ? EPOLLIN : 0u) | (for_room ? EPOLLOUT : 0u), .data.fd = socket};
    epoll_ctl(loop, EPOLL_CTL_MOD, socket, &event);
}

// Takes a piece of what has come and sends what is whole; false if the connection has ended.
static bool serve_turn(int loop, int socket, Peer *peer, size_t message) {
    size_t room = peer->ring_bytes - (size_t)(peer->received - peer->sent);
    bool was_full = room == 0, was_blocked = peer->is_blocked;
    if (room > 0) {
        size_t place = (size_t)(peer->received % peer->ring_bytes);
        size_t most = smaller(smaller(room, peer->ring_bytes - place), PIECE_BYTES);
        ssize_t got = recv(socket, peer->ring + place, most, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
        if (got > 0) peer->received += (uint64_t)got;
    }
    peer->is_blocked = false;
    uint64_t whole = peer->received / message * message;
    while (peer->sent < whole) {
        size_t place = (size_t)(peer->sent % peer->ring_bytes);
        size_t most = smaller((size_t)(whole - peer->sent), peer->ring_bytes - place);
        ssize_t written = send(socket, peer->ring + place, most, MSG_NOSIGNAL);
        if (written < 0 && errno == EAGAIN) {
            peer->is_blocked = true;
            break;
        }
        if (written < 0 && errno != EINTR) return false;
        if (written > 0) peer->sent += (uint64_t)written;
    }
    if (peer->sent == peer->received) peer->sent = peer->received = 0;
    bool is_full = peer->received - peer->sent == peer->ring_bytes;
    if (is_full != was_full || peer->is_blocked != was_blocked)
        watch(loop, socket, !is_full, peer->is_blocked);
    return true;
}

static int serve(size_t message) {
    int listener = listen_on_loopback(), loop = epoll_create1(0), yes = 1;
    static Peer peers[MOST_PEERS];
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = STDIN_FILENO;
    epoll_ctl(loop, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    while (1) {
        if (epoll_wait(loop, &event, 1, -1) <= 0) continue;
        int ready = event.data.fd;
        if (ready == STDIN_FILENO) {
            char ignored[64];
            if (read(STDIN_FILENO, ignored, sizeof ignored) <= 0) return 0;
        } else if (ready == listener) {
            int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (accepted < 0) continue;
            if (accepted >= MOST_PEERS) stop_with("too many connections");
            setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            // Room for messages that come while one goes.
            size_t ring_bytes = message < PIECE_BYTES ? 4 * PIECE_BYTES : 4 * message;
            peers[accepted] = (Peer){.ring = malloc(ring_bytes), .ring_bytes = ring_bytes};
            if (!peers[accepted].ring) stop_with("no memory");
            event = (struct epoll_event){.events = EPOLLIN, .data.fd = accepted};
            epoll_ctl(loop, EPOLL_CTL_ADD, accepted, &event);
        } else if (!serve_turn(loop, ready, &peers[ready], message)) {
            free(peers[ready].ring);
            close(ready);
        }
    }
}

// Messages come back in order, so the oldest that is under way is the one that ends.
static void call(const char *address, size_t message, size_t callers, double seconds) {
    int client = connect_to(address), loop = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.fd = client};
    epoll_ctl(loop, EPOLL_CTL_ADD, client, &event);
    char *bytes = malloc(message), *answer = malloc(PIECE_BYTES);
    if (!bytes || !answer) stop_with("no memory");
    memset(bytes, 't', message);
    static Latencies latencies;
    static int64_t started[MOST_CALLERS];

    int64_t began = monotonic_nanoseconds(), cpu = cpu_nanoseconds(), now = began;
    int64_t end = began + (int64_t)(seconds * 1e9);
    for (size_t caller = 0; caller < callers; caller++) started[caller] = began;
    uint64_t to_send = callers * message, sent = 0, received = 0, count = 0;
    bool is_blocked = true;
    while (count * message < to_send) {
        if (epoll_wait(loop, &event, 1, 10000) <= 0) stop_with("no answer");
        if (event.events & (EPOLLIN | EPOLLHUP)) {
            ssize_t got = recv(client, answer, PIECE_BYTES, 0);
            if (got == 0) stop_with("the server has gone");
            if (got > 0) received += (uint64_t)got;
            now = monotonic_nanoseconds();
            while (received >= (count + 1) * message) {
                record(&latencies, now - started[count % callers]);
                started[count % callers] = now;
                count += 1;
                if (now < end) to_send += message;
            }
        }
        bool was_blocked = is_blocked;
        is_blocked = false;
        while (sent < to_send && !is_blocked) {
            size_t place = (size_t)(sent % message);
            ssize_t written = send(client, bytes + place, message - place, MSG_NOSIGNAL);
            if (written > 0) sent += (uint64_t)written;
            if (written < 0 && errno != EAGAIN && errno != EINTR) stop_with("cannot write");
            is_blocked = written < 0 && errno == EAGAIN;
        }
        if (is_blocked != was_blocked) watch(loop, client, true, is_blocked);
    }
    tell(count, now - began, cpu_nanoseconds() - cpu, &latencies, 0, "");
}

int main(int count, char **arguments) {
    long message = count > 2 ? atol(arguments[count == 3 ? 2 : 3]) : 0;
    if (message > 0 && message <= MOST_BYTES) {
        if (count == 3 && strcmp(arguments[1], "serve") == 0) return serve((size_t)message);
        if (count == 6 && strcmp(arguments[1], "call") == 0) {
            int callers = atoi(arguments[4]);
            double seconds = atof(arguments[5]);
            if (callers > 0 && callers <= MOST_CALLERS && seconds > 0) {
                call(arguments[2], (size_t)message, (size_t)callers, seconds);
                return 0;
            }
        }
    }
    stop_with("usage: bulk-echo serve BYTES | bulk-echo call HOST:PORT BYTES CALLERS SECONDS");
}
