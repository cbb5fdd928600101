#pragma once
#include <protobuf-c/protobuf-c.h>

// What protobuf-c points absent proto3 strings at. Swift does not import arrays of unknown length.
static inline const char *tollgate_empty_string(void) { return protobuf_c_empty_string; }
