#pragma once
#include <stddef.h>
#include <stdint.h>

/// Continues a CRC-32C (Castagnoli) over some bytes; begin with 0.
///
/// Takes the processor's own instruction where there is one, else tables.
uint32_t tollgate_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The same by tables alone, so that tests can hold one against the other.
uint32_t tollgate_crc32c_by_tables(uint32_t crc, const void *bytes, size_t count);
