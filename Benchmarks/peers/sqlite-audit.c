// The limit of an audit: one pass over all transfers in their customers' order, in plain
// single-threaded C on SQLite, with SHA-256 over every column. It checks nothing.
//
//     sqlite-audit DATABASE
#include <openssl/evp.h>
#include <sqlite3.h>

#include "measure.h"

int main(int count, char **arguments) {
    if (count != 2) stop_with("usage: sqlite-audit DATABASE");
    sqlite3 *database;
    if (sqlite3_open_v2(arguments[1], &database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        stop_with("cannot open the database");
    sqlite3_exec(database, "PRAGMA mmap_size = 0; PRAGMA cache_size = -65536", NULL, NULL, NULL);
    sqlite3_stmt *rows;
    const char *text = "SELECT * FROM transfers ORDER BY customer, sequence";
    if (sqlite3_prepare_v2(database, text, -1, &rows, NULL) != SQLITE_OK)
        stop_with(sqlite3_errmsg(database));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_MD *algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    unsigned char hash[32] = {0};
    int64_t began = monotonic_nanoseconds(), used = cpu_nanoseconds(), seen = 0;
    int step;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        EVP_DigestInit_ex2(context, algorithm, NULL);
        EVP_DigestUpdate(context, hash, sizeof hash);
        for (int column = 0, columns = sqlite3_column_count(rows); column < columns; column++) {
            if (sqlite3_column_type(rows, column) == SQLITE_INTEGER) {
                int64_t number = sqlite3_column_int64(rows, column);
                EVP_DigestUpdate(context, &number, sizeof number);
            } else {
                const void *bytes = sqlite3_column_blob(rows, column);
                EVP_DigestUpdate(context, bytes, (size_t)sqlite3_column_bytes(rows, column));
            }
        }
        EVP_DigestFinal_ex(context, hash, NULL);
        seen++;
    }
    if (step != SQLITE_DONE) stop_with(sqlite3_errmsg(database));
    static Latencies none;
    tell((uint64_t)seen, monotonic_nanoseconds() - began, cpu_nanoseconds() - used, &none, 0,
         sqlite3_libversion());
    return 0;
}
