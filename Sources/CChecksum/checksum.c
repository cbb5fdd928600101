#include "CChecksum.h"

#include <pthread.h>
#include <string.h>

// The Castagnoli polynomial, bits reversed.
#define POLYNOMIAL 0x82f63b78u

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void make_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) ? POLYNOMIAL : 0);
        tables[0][byte] = crc;
    }
    // tables[n][b] is what byte b becomes once n zero bytes have followed it.
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int n = 1; n < 8; n++) {
            uint32_t before = tables[n - 1][byte];
            tables[n][byte] = (before >> 8) ^ tables[0][before & 0xff];
        }
    }
}

uint32_t tollgate_crc32c_by_tables(uint32_t crc, const void *bytes, size_t count) {
    const unsigned char *next = bytes;
    pthread_once(&tables_once, make_tables);
    crc = ~crc;
    while (count >= 8) {
        uint32_t low = crc ^ ((uint32_t)next[0] | (uint32_t)next[1] << 8 | (uint32_t)next[2] << 16 |
                              (uint32_t)next[3] << 24);
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
              tables[4][low >> 24] ^ tables[3][next[4]] ^ tables[2][next[5]] ^ tables[1][next[6]] ^
              tables[0][next[7]];
        next += 8;
        count -= 8;
    }
    while (count-- > 0) crc = (crc >> 8) ^ tables[0][(crc ^ *next++) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)

#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t by_instruction(
    uint32_t crc, const unsigned char *next, size_t count) {
    uint64_t wide = (uint32_t)~crc;
    for (; count >= 8; next += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    while (count-- > 0) crc = _mm_crc32_u8(crc, *next++);
    return ~crc;
}

uint32_t tollgate_crc32c(uint32_t crc, const void *bytes, size_t count) {
    if (__builtin_cpu_supports("sse4.2")) return by_instruction(crc, bytes, count);
    return tollgate_crc32c_by_tables(crc, bytes, count);
}

#elif defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>

uint32_t tollgate_crc32c(uint32_t crc, const void *bytes, size_t count) {
    const unsigned char *next = bytes;
    crc = ~crc;
    for (; count >= 8; next += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        crc = __crc32cd(crc, word);
    }
    while (count-- > 0) crc = __crc32cb(crc, *next++);
    return ~crc;
}

#else

uint32_t tollgate_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return tollgate_crc32c_by_tables(crc, bytes, count);
}

#endif
