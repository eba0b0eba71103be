#ifndef SELVAGE_CALLOCATIONS_H
#define SELVAGE_CALLOCATIONS_H

#include <stdint.h>

/// How often this thread has asked for memory since it began. Linking this target puts a counting malloc before glibc's.
uint64_t selvage_allocations(void);

#endif
