#pragma once
#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

// Swift cannot call variadic functions; each of these is one use of curl's.

static inline CURLcode tollgate_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode tollgate_curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode tollgate_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode tollgate_curl_set_list(
    CURL *easy, CURLoption option, struct curl_slist *value
) {
    return curl_easy_setopt(easy, option, value);
}

// Copies the bytes: curl keeps no pointer into the caller's memory. A null pointer would make it
// read the body from standard input.
static inline CURLcode tollgate_curl_set_body(CURL *easy, const void *bytes, long count) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, count);
    if (code != CURLE_OK) return code;
    return curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, bytes ? bytes : "");
}

typedef size_t (*tollgate_curl_receiver)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode tollgate_curl_set_receivers(
    CURL *easy, tollgate_curl_receiver header, tollgate_curl_receiver body, void *context
) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, context);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
    return code;
}

// Microseconds until the connection was ready for the request; 0 if it never was.
static inline curl_off_t tollgate_curl_ready_after(CURL *easy) {
    curl_off_t time = 0;
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &time);
    return time;
}

static inline void *tollgate_curl_private(CURL *easy) {
    char *context = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &context);
    return context;
}

static inline CURLMcode tollgate_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

typedef int (*tollgate_curl_socket_watcher)(
    CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context
);
typedef int (*tollgate_curl_timer_watcher)(CURLM *multi, long milliseconds, void *context);

static inline CURLMcode tollgate_curl_multi_set_watchers(
    CURLM *multi, tollgate_curl_socket_watcher socket, tollgate_curl_timer_watcher timer,
    void *context
) {
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
    return code;
}

// epoll's flags as plain numbers: their enumeration does not import as a number.
static inline uint32_t tollgate_curl_epoll_in(void) { return EPOLLIN; }
static inline uint32_t tollgate_curl_epoll_out(void) { return EPOLLOUT; }
static inline uint32_t tollgate_curl_epoll_failed(void) { return EPOLLERR | EPOLLHUP; }
static inline int tollgate_curl_epoll_add(int epoll, int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.fd = descriptor}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}
static inline int tollgate_curl_epoll_change(int epoll, int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.fd = descriptor}};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event);
}
static inline int tollgate_curl_epoll_remove(int epoll, int descriptor) {
    struct epoll_event event = {0};
    return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event);
}
static inline int tollgate_curl_wake_descriptor(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}
static inline int tollgate_curl_epoll_descriptor(void) { return epoll_create1(EPOLL_CLOEXEC); }
