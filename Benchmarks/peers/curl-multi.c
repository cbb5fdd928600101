// The limit of a chat: the same HTTP transfers on libcurl's multi interface alone (one thread,
// epoll, curl_multi_socket_action), without gateway, store or RPC.
//
//     curl-multi URL CALLERS SECONDS
//
// A closed loop: each caller posts a question and reads its streamed answer to [DONE].
#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "measure.h"

typedef struct {
    CURL *handle;
    int64_t started;
    char tail[16];
    size_t tail_bytes;
} Caller;

static int loop;
static long timeout_milliseconds = -1;

static const char body[] =
    "{\"model\":\"mock\",\"messages\":[{\"role\":\"user\",\"content\":\"Why is the sky blue?\"}],"
    "\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":64}";

static int socket_changed(CURL *handle, curl_socket_t socket, int what, void *context,
                          void *known) {
    (void)handle;
    CURLM *multi = context;
    struct epoll_event event = {.data.fd = socket};
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(loop, EPOLL_CTL_DEL, socket, NULL);
        return 0;
    }
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    epoll_ctl(loop, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
    if (!known) curl_multi_assign(multi, socket, &loop);
    return 0;
}

static int timer_changed(CURLM *multi, long milliseconds, void *context) {
    (void)multi, (void)context;
    timeout_milliseconds = milliseconds;
    return 0;
}

// Keeps the end of the answer, which has to be that of a whole one.
static size_t take(char *bytes, size_t size, size_t count, void *context) {
    Caller *caller = context;
    size_t all = size * count, room = sizeof caller->tail;
    if (all >= room) {
        memcpy(caller->tail, bytes + all - room, room);
        caller->tail_bytes = room;
    } else {
        size_t kept = caller->tail_bytes + all > room ? room - all : caller->tail_bytes;
        memmove(caller->tail, caller->tail + caller->tail_bytes - kept, kept);
        memcpy(caller->tail + kept, bytes, all);
        caller->tail_bytes = kept + all;
    }
    return all;
}

static void start(CURLM *multi, Caller *caller, int64_t now) {
    caller->started = now;
    caller->tail_bytes = 0;
    curl_multi_add_handle(multi, caller->handle);
}

static void prepare(Caller *caller, const char *url, struct curl_slist *headers) {
    caller->handle = curl_easy_init();
    if (!caller->handle) stop_with("no memory");
    curl_easy_setopt(caller->handle, CURLOPT_URL, url);
    curl_easy_setopt(caller->handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(caller->handle, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(caller->handle, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(caller->handle, CURLOPT_WRITEDATA, caller);
    curl_easy_setopt(caller->handle, CURLOPT_PRIVATE, caller);
    curl_easy_setopt(caller->handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(caller->handle, CURLOPT_PROXY, "");
    curl_easy_setopt(caller->handle, CURLOPT_TIMEOUT_MS, 10000L);
}

static void check(const Caller *caller, const CURLMsg *message) {
    long status = 0;
    curl_easy_getinfo(caller->handle, CURLINFO_RESPONSE_CODE, &status);
    if (message->data.result != CURLE_OK || status != 200 ||
        !memmem(caller->tail, caller->tail_bytes, "[DONE]", 6))
        stop_with("an answer was not whole");
}

static void run(const char *url, size_t callers, double seconds) {
    CURLM *multi = curl_multi_init();
    loop = epoll_create1(0);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_changed);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)callers * 2);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Authorization: Bearer key");
    Caller *all = calloc(callers, sizeof *all);
    if (!all) stop_with("no memory");

    int64_t began = monotonic_nanoseconds(), cpu = cpu_nanoseconds(), now = began;
    int64_t end = began + (int64_t)(seconds * 1e9);
    for (size_t place = 0; place < callers; place++) {
        prepare(&all[place], url, headers);
        start(multi, &all[place], began);
    }
    static Latencies latencies;
    uint64_t count = 0;
    size_t under_way = callers;
    int running = 0;
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    while (under_way > 0) {
        struct epoll_event events[128];
        int wait = timeout_milliseconds < 0 ? 1000 : (int)timeout_milliseconds;
        int ready = epoll_wait(loop, events, 128, wait);
        if (ready == 0) curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        for (int place = 0; place < ready; place++) {
            int flags = (events[place].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                        (events[place].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                        (events[place].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
            curl_multi_socket_action(multi, events[place].data.fd, flags, &running);
        }
        CURLMsg *message;
        int left;
        while ((message = curl_multi_info_read(multi, &left))) {
            if (message->msg != CURLMSG_DONE) continue;
            Caller *caller;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &caller);
            check(caller, message);
            now = monotonic_nanoseconds();
            record(&latencies, now - caller->started);
            count += 1;
            curl_multi_remove_handle(multi, caller->handle);
            if (now < end) start(multi, caller, now);
            else under_way -= 1;
        }
    }
    tell(count, now - began, cpu_nanoseconds() - cpu, &latencies, 0,
         curl_version_info(CURLVERSION_NOW)->version);
}

int main(int count, char **arguments) {
    if (count != 4) stop_with("usage: curl-multi URL CALLERS SECONDS");
    int callers = atoi(arguments[2]);
    double seconds = atof(arguments[3]);
    if (callers <= 0 || callers > 1024 || seconds <= 0) stop_with("no callers, or no time");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    run(arguments[1], (size_t)callers, seconds);
    return 0;
}
