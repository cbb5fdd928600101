/* The functions are written in Swift (Sources/ClientC); this file makes the header a module. */
#include "tollgate.h"
