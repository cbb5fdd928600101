/*
 * Sends bytes beside a message, over an encrypted connection if an authority is named, and gives up
 * from another thread after a while.
 *
 * Build: cc -pthread -o attach attach.c $(pkg-config --cflags --libs tollgate)
 * Usage: attach ADDRESSES CREDENTIAL TEXT MILLISECONDS [AUTHORITIES.pem [CERTIFICATE.pem KEY.pem]]
 *
 * ADDRESSES is HOST:PORT, or several with commas. CREDENTIAL is the connection credential by which
 * a server knows which program calls: the text of the file credentials/cli in the server's data
 * folder, which `tollgate up` and `tollgate serve` make (~/.tollgate, or --data). On this machine:
 *
 *     ./attach 127.0.0.1:7400 "$(cat ~/.tollgate/credentials/cli)" hello 1000
 *
 * On another one its operator gives it to you. It is a secret; keep it in a file.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tollgate.h>

struct patience {
    tollgate_canceller *canceller;
    long milliseconds;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    int is_answered;
};

/* Waits until the call has returned, and cancels it if that takes too long. */
static void *watch(void *context) {
    struct patience *patience = context;
    struct timespec until;
    int status = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += patience->milliseconds / 1000;
    until.tv_nsec += patience->milliseconds % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&patience->lock);
    while (!patience->is_answered && status == 0)
        status = pthread_cond_timedwait(&patience->answered, &patience->lock, &until);
    if (!patience->is_answered) tollgate_cancel(patience->canceller);
    pthread_mutex_unlock(&patience->lock);
    return NULL;
}

static int send_text(tollgate_client *client, const char *text, struct patience *patience) {
    tollgate_error error;
    tollgate_options options;
    tollgate_answer answer;
    tollgate_field field = {"example", "attach.c"};
    pthread_t watcher;
    size_t i;
    int32_t status;

    memset(&options, 0, sizeof options);
    options.fields = &field;
    options.field_count = 1;
    options.canceller = patience->canceller;
    if (pthread_create(&watcher, NULL, watch, patience) != 0) return 1;
    status = tollgate_exchange(
        client, "tollgate.v1.DiagnosticsService/Ping", NULL, 0, (const uint8_t *)text,
        strlen(text), &options, &answer, &error);
    pthread_mutex_lock(&patience->lock);
    patience->is_answered = 1;
    pthread_cond_signal(&patience->answered);
    pthread_mutex_unlock(&patience->lock);
    pthread_join(watcher, NULL);
    if (status != 0) {
        fprintf(stderr, "%s: %s\n", error.code, error.message);
        return 1;
    }
    printf("%zu bytes, and beside them: %.*s\n", answer.message_length,
           (int)answer.attachment_length, (const char *)answer.attachment);
    for (i = 0; i < answer.field_count; i++)
        printf("%s = %s\n", answer.fields[i].name, answer.fields[i].value);
    tollgate_answer_clear(&answer);
    return 0;
}

int main(int argc, char **argv) {
    tollgate_error error;
    tollgate_client *client;
    tollgate_tls tls;
    struct patience patience;
    int status;

    if (argc != 5 && argc != 6 && argc != 8) {
        fprintf(stderr, "Usage: attach ADDRESSES CREDENTIAL TEXT MILLISECONDS "
                        "[AUTHORITIES.pem [CERTIFICATE.pem KEY.pem]]\n");
        return 2;
    }
    memset(&tls, 0, sizeof tls);
    if (argc > 5) tls.authorities_path = argv[5];
    if (argc > 7) {
        tls.certificate_path = argv[6];
        tls.key_path = argv[7];
    }
    client = tollgate_connect_tls(argv[1], argv[2], argc > 5 ? &tls : NULL, &error);
    if (client == NULL) {
        fprintf(stderr, "%s: %s\n", error.code, error.message);
        return 1;
    }
    memset(&patience, 0, sizeof patience);
    patience.canceller = tollgate_canceller_create();
    patience.milliseconds = strtol(argv[4], NULL, 10);
    pthread_mutex_init(&patience.lock, NULL);
    pthread_cond_init(&patience.answered, NULL);
    status = send_text(client, argv[3], &patience);
    tollgate_canceller_destroy(patience.canceller);
    tollgate_close(client);
    pthread_cond_destroy(&patience.answered);
    pthread_mutex_destroy(&patience.lock);
    return status;
}
