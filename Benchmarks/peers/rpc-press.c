// A load generator that costs next to nothing: 64-byte echoes on one connection, with epoll on one
// thread, in the frames of baidu_std (PRPC). What a server costs a call beside it is the server's
// own cost, and not how its client happens to batch.
//
//     rpc-press call HOST:PORT CALLERS SECONDS [CREDENTIAL [TRACEPARENT]]
//     rpc-press pace HOST:PORT CALLERS SECONDS RATE [CREDENTIAL]
//     rpc-press hold HOST:PORT CONNECTIONS [CREDENTIAL]
//
// `call` is a closed loop: each caller asks again once it is answered. `pace` is an open one: calls
// fall due at random moments, RATE a second on average, whatever became of those before. A call
// that finds every caller busy waits, and its latency counts from when it fell due. `hold` opens
// connections, has one call answered on each, says "holding" with the seconds that took, and keeps
// them until its input ends.
//
// With a TRACEPARENT every request says that it is part of that trace.
//
// Calls example.EchoService/Echo. Every answer is checked: its code must be 0 and its message what
// was sent.
#include "sockets.h"

#include <stdbool.h>

enum { MESSAGE_BYTES = 64, MOST_CALLERS = 1024, FRAME_BYTES = 512 };

typedef struct {
    size_t count;
    uint8_t bytes[FRAME_BYTES];
} Frame;

static void put(Frame *frame, const void *bytes, size_t count) {
    if (frame->count + count > FRAME_BYTES) stop_with("the credential is too long");
    memcpy(frame->bytes + frame->count, bytes, count);
    frame->count += count;
}

static void put_number(Frame *frame, uint64_t value) {
    do {
        uint8_t byte = (uint8_t)(value & 127) | (value > 127 ? 128 : 0);
        put(frame, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static void put_text(Frame *frame, unsigned field, const void *text, size_t count) {
    put_number(frame, field << 3 | 2);
    put_number(frame, count);
    put(frame, text, count);
}

static void put_big_endian(uint8_t *place, size_t value) {
    for (int byte = 0; byte < 4; byte++) place[byte] = (uint8_t)(value >> (24 - 8 * byte));
}

// The payload: field 1, a text.
static Frame payload(void) {
    Frame message = {0};
    char text[MESSAGE_BYTES];
    for (size_t index = 0; index < MESSAGE_BYTES; index++) text[index] = "tollgate"[index % 8];
    put_text(&message, 1, text, MESSAGE_BYTES);
    return message;
}

static Frame request(uint64_t correlation, const char *credential, const char *trace) {
    Frame method = {0}, meta = {0}, frame = {.count = 12}, message = payload();
    put_text(&method, 1, "example.EchoService", 19);
    put_text(&method, 2, "Echo", 4);
    put_number(&method, 8 << 3);  // timeout_ms
    put_number(&method, 5000);
    put_text(&meta, 1, method.bytes, method.count);
    put_number(&meta, 4 << 3);  // correlation_id
    put_number(&meta, correlation);
    if (credential) put_text(&meta, 7, credential, strlen(credential));
    if (trace) {
        Frame field = {0};
        put_text(&field, 1, "traceparent", 11);
        put_text(&field, 2, trace, strlen(trace));
        put_text(&meta, 9, field.bytes, field.count);
    }
    put(&frame, meta.bytes, meta.count);
    put(&frame, message.bytes, message.count);
    memcpy(frame.bytes, "PRPC", 4);
    put_big_endian(frame.bytes + 4, meta.count + message.count);
    put_big_endian(frame.bytes + 8, meta.count);
    return frame;
}

static uint64_t number(const uint8_t **at, const uint8_t *end) {
    uint64_t value = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return value;
    }
    stop_with("the answer's meta cannot be read");
    return 0;
}

// One varint field of a message; `missing` if it is not there.
static uint64_t field_of(const uint8_t *at, const uint8_t *end, unsigned wanted, uint64_t missing,
                         const uint8_t **inner, size_t *inner_count) {
    while (at < end) {
        uint64_t key = number(&at, end);
        if ((key & 7) == 0) {
            uint64_t value = number(&at, end);
            if (key >> 3 == wanted) return value;
        } else if ((key & 7) == 2) {
            uint64_t count = number(&at, end);
            if (count > (uint64_t)(end - at)) stop_with("the answer's meta cannot be read");
            if (key >> 3 == wanted && inner) {
                *inner = at;
                *inner_count = count;
                return count;
            }
            at += count;
        } else {
            stop_with("the answer's meta cannot be read");
        }
    }
    return missing;
}

static size_t big_endian(const uint8_t *bytes) {
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

// Checks one answer and says whose it is.
static uint64_t answered(const uint8_t *meta, size_t meta_count, const uint8_t *body,
                         size_t body_count, const Frame *message) {
    const uint8_t *response = NULL;
    size_t response_count = 0;
    field_of(meta, meta + meta_count, 2, 0, &response, &response_count);
    if (!response || field_of(response, response + response_count, 1, 0, NULL, NULL) != 0)
        stop_with("a call was answered with an error");
    if (body_count != message->count || memcmp(body, message->bytes, body_count) != 0)
        stop_with("an echo did not bring back what was sent");
    return field_of(meta, meta + meta_count, 4, 0, NULL, NULL);
}

typedef struct {
    int socket, loop;
    size_t filled, callers, under_way;
    uint8_t answers[1 << 18];
    uint8_t requests[MOST_CALLERS * FRAME_BYTES];
    Frame frames[MOST_CALLERS];
    int64_t started[MOST_CALLERS];
    // Of an open loop: callers without a call, and the calls' moments.
    bool is_paced;
    size_t idle[MOST_CALLERS], idle_count;
    double nanoseconds_between;
    uint64_t random;
    int64_t due;
    Latencies latencies;
} Press;

// Ten seconds without an answer, in nanoseconds, are a server that does not answer.
static const int64_t longest_wait = 10000000000;

// The pause before the next call of an open loop: exponential, so that calls come as from many
// independent people. The seed is fixed: every run has the same arrivals.
static int64_t pause_of(Press *press) {
    press->random ^= press->random << 13;
    press->random ^= press->random >> 7;
    press->random ^= press->random << 17;
    double share = (double)(press->random >> 11) / (double)(1ull << 53);
    return (int64_t)(-log(1.0 - share) * press->nanoseconds_between);
}

// Adds the request of one caller to what is sent next.
static void ask(Press *press, size_t caller, int64_t since, size_t *asked) {
    const Frame *frame = &press->frames[caller];
    press->started[caller] = since;
    memcpy(press->requests + *asked, frame->bytes, frame->count);
    *asked += frame->count;
}

// Sends what has fallen due, as far as callers are free; nanoseconds until more will.
static int64_t send_due(Press *press, int64_t end) {
    size_t asked = 0;
    int64_t now = monotonic_nanoseconds();
    while (press->due <= now && press->due < end && press->idle_count > 0) {
        ask(press, press->idle[--press->idle_count], press->due, &asked);
        press->under_way += 1;
        press->due += pause_of(press);
    }
    if (asked > 0 && write_all(press->socket, (char *)press->requests, asked) != 0)
        stop_with("cannot write");
    // With nobody free, or nothing more to come, only an answer changes anything.
    if (press->idle_count == 0 || press->due >= end) return longest_wait;
    return press->due > now ? press->due - now : 0;
}

// Reads what has come within `patience` and, in a closed loop, asks again for every caller that has
// its answer; the count of answers.
static uint64_t turn(Press *press, const Frame *message, int64_t end, int64_t patience) {
    struct epoll_event ready;
    struct timespec wait = {.tv_sec = patience / 1000000000, .tv_nsec = patience % 1000000000};
    int events = epoll_pwait2(press->loop, &ready, 1, &wait, NULL);
    if (events == 0 && patience < longest_wait) return 0;
    if (events <= 0) stop_with("no answer");
    ssize_t got = recv(press->socket, press->answers + press->filled,
                       sizeof press->answers - press->filled, 0);
    if (got == 0) stop_with("the server has gone");
    if (got < 0) return 0;
    press->filled += (size_t)got;
    int64_t now = monotonic_nanoseconds();
    size_t at = 0, asked = 0;
    uint64_t count = 0;
    while (press->filled - at >= 12) {
        const uint8_t *head = press->answers + at;
        size_t body = big_endian(head + 4), meta = big_endian(head + 8);
        if (memcmp(head, "PRPC", 4) != 0 || meta > body || body > FRAME_BYTES)
            stop_with("the answer is no frame");
        if (press->filled - at < 12 + body) break;
        uint64_t caller = answered(head + 12, meta, head + 12 + meta, body - meta, message) - 1;
        if (caller >= press->callers) stop_with("an answer belongs to no call");
        record(&press->latencies, now - press->started[caller]);
        count += 1;
        at += 12 + body;
        if (press->is_paced) {
            press->idle[press->idle_count++] = caller;
            press->under_way -= 1;
        } else if (now < end) {
            ask(press, caller, now, &asked);
        } else {
            press->under_way -= 1;
        }
    }
    memmove(press->answers, press->answers + at, press->filled - at);
    press->filled -= at;
    if (asked > 0 && write_all(press->socket, (char *)press->requests, asked) != 0)
        stop_with("cannot write");
    return count;
}

// Connects, and has one call answered: the credential goes with the first request alone.
static void open_press(Press *press, const Frame *message, const char *address, size_t callers,
                       const char *credential, const char *trace) {
    press->socket = connect_to(address);
    press->loop = epoll_create1(0);
    press->callers = callers;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = press->socket};
    epoll_ctl(press->loop, EPOLL_CTL_ADD, press->socket, &event);
    Frame first = request(1, credential, trace);
    for (size_t caller = 0; caller < callers; caller++)
        press->frames[caller] = request(caller + 1, NULL, trace);
    press->under_way = 1;
    if (write_all(press->socket, (char *)first.bytes, first.count) != 0) stop_with("cannot write");
    while (press->under_way > 0) turn(press, message, 0, longest_wait);
    memset(&press->latencies, 0, sizeof press->latencies);
}

// A rate of 0 is a closed loop.
static void run(const char *address, size_t callers, double seconds, double rate,
                const char *credential, const char *trace) {
    static Press press;
    Frame message = payload();
    open_press(&press, &message, address, callers, credential, trace);
    int64_t began = monotonic_nanoseconds(), cpu = cpu_nanoseconds();
    int64_t end = began + (int64_t)(seconds * 1e9);
    uint64_t count = 0;
    if (rate > 0) {
        press.is_paced = true;
        press.nanoseconds_between = 1e9 / rate;
        press.random = 0x9e3779b97f4a7c15;
        press.due = began + pause_of(&press);
        for (size_t caller = 0; caller < callers; caller++)
            press.idle[press.idle_count++] = caller;
        while (press.due < end || press.under_way > 0) {
            int64_t patience = send_due(&press, end);
            if (press.due >= end && press.under_way == 0) break;
            if (monotonic_nanoseconds() > end + longest_wait)
                stop_with("the server cannot keep that pace");
            count += turn(&press, &message, end, patience);
        }
    } else {
        size_t asked = 0;
        press.under_way = callers;
        for (size_t caller = 0; caller < callers; caller++) ask(&press, caller, began, &asked);
        if (write_all(press.socket, (char *)press.requests, asked) != 0)
            stop_with("cannot write");
        while (press.under_way > 0) count += turn(&press, &message, end, longest_wait);
    }
    tell(count, monotonic_nanoseconds() - began, cpu_nanoseconds() - cpu, &press.latencies, 0, "");
}

// Opens connections one after the other and keeps them.
static void hold(const char *address, size_t connections, const char *credential) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < connections + 16) stop_with("more connections than files may be open");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    Frame message = payload(), first = request(1, credential, NULL);
    int64_t began = monotonic_nanoseconds();
    for (size_t connection = 0; connection < connections; connection++) {
        int client = connect_to(address);
        uint8_t answer[FRAME_BYTES];
        size_t filled = 0, wanted = 12;
        if (write_all(client, (char *)first.bytes, first.count) != 0) stop_with("cannot write");
        while (filled < wanted) {
            struct pollfd ready = {.fd = client, .events = POLLIN};
            if (poll(&ready, 1, 10000) <= 0) stop_with("no answer");
            ssize_t got = recv(client, answer + filled, wanted - filled, 0);
            if (got <= 0) stop_with("the server has gone");
            filled += (size_t)got;
            if (filled == 12) wanted += big_endian(answer + 4);
            if (wanted > sizeof answer) stop_with("the answer is no frame");
        }
        size_t meta = big_endian(answer + 8);
        if (12 + meta > wanted) stop_with("the answer is no frame");
        answered(answer + 12, meta, answer + 12 + meta, wanted - 12 - meta, &message);
    }
    printf("holding %.6f\n", (double)(monotonic_nanoseconds() - began) / 1e9);
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

int main(int count, char **arguments) {
    if ((count == 4 || count == 5) && strcmp(arguments[1], "hold") == 0 && atoi(arguments[3]) > 0) {
        hold(arguments[2], (size_t)atoi(arguments[3]), count == 5 ? arguments[4] : NULL);
        return 0;
    }
    bool is_paced = count >= 6 && strcmp(arguments[1], "pace") == 0;
    bool is_closed = count >= 5 && strcmp(arguments[1], "call") == 0;
    int given = is_paced ? 6 : 5;
    if ((is_paced || is_closed) && count <= given + 2 - is_paced) {
        int callers = atoi(arguments[3]);
        double seconds = atof(arguments[4]), rate = is_paced ? atof(arguments[5]) : 0;
        if (callers > 0 && callers <= MOST_CALLERS && seconds > 0 && (!is_paced || rate >= 1)) {
            run(arguments[2], (size_t)callers, seconds, rate,
                count > given ? arguments[given] : NULL,
                count > given + 1 ? arguments[given + 1] : NULL);
            return 0;
        }
    }
    stop_with("usage: rpc-press call HOST:PORT CALLERS SECONDS [CREDENTIAL [TRACEPARENT]]\n"
              "       rpc-press pace HOST:PORT CALLERS SECONDS RATE [CREDENTIAL]\n"
              "       rpc-press hold HOST:PORT CONNECTIONS [CREDENTIAL]");
}
