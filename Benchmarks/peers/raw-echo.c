// The limit of a call's round trip: bytes there and back over a loopback socket, with epoll on one
// thread at each end and nothing between.
//
//     raw-echo serve                                   prints its address; ends with its input
//     raw-echo call HOST:PORT BYTES CALLERS SECONDS    a closed loop on one connection
//
// A caller sends a frame of BYTES and waits for as many. CALLERS frames are under way at once.
#include "sockets.h"

static ssize_t echo(int socket, char *bytes, size_t count) {
    return write_all(socket, bytes, count) == 0 ? (ssize_t)count : -1;
}

// Frames come back in order, so the oldest that is under way is the one that ends.
static void call(const char *address, size_t frame, size_t callers, double seconds) {
    int client = connect_to(address), loop = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = client};
    epoll_ctl(loop, EPOLL_CTL_ADD, client, &event);
    char *frames = calloc(callers, frame), *answer = malloc(1 << 18);
    int64_t *started = calloc(callers, sizeof *started);
    static Latencies latencies;
    if (!frames || !answer || !started) stop_with("no memory");

    int64_t began = monotonic_nanoseconds(), cpu = cpu_nanoseconds(), now = began;
    int64_t end = began + (int64_t)(seconds * 1e9);
    for (size_t caller = 0; caller < callers; caller++) started[caller] = began;
    size_t oldest = 0, received = 0, under_way = callers;
    uint64_t count = 0;
    if (write_all(client, frames, callers * frame) != 0) stop_with("cannot write");
    while (under_way > 0) {
        struct epoll_event ready;
        if (epoll_wait(loop, &ready, 1, 10000) <= 0) stop_with("no answer");
        ssize_t got = recv(client, answer, 1 << 18, 0);
        if (got == 0) stop_with("the server has gone");
        if (got < 0) continue;
        now = monotonic_nanoseconds();
        received += (size_t)got;
        size_t again = 0;
        while (received >= frame) {
            received -= frame;
            record(&latencies, now - started[oldest]);
            count += 1;
            if (now < end) {
                started[oldest] = now;
                again += 1;
            } else {
                under_way -= 1;
            }
            oldest = (oldest + 1) % callers;
        }
        if (again > 0 && write_all(client, frames, again * frame) != 0) stop_with("cannot write");
    }
    tell(count, now - began, cpu_nanoseconds() - cpu, &latencies, 0, "");
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "serve") == 0) return serve_until_input_ends(echo);
    if (count == 6 && strcmp(arguments[1], "call") == 0) {
        int frame = atoi(arguments[3]), callers = atoi(arguments[4]);
        double seconds = atof(arguments[5]);
        if (frame > 0 && frame <= 65536 && callers > 0 && callers <= 1024 && seconds > 0) {
            call(arguments[2], (size_t)frame, (size_t)callers, seconds);
            return 0;
        }
    }
    stop_with("usage: raw-echo serve | raw-echo call HOST:PORT BYTES CALLERS SECONDS");
}
