// As much of C's library as generated bindings need; see libc.c.
#pragma once

#include <stddef.h>

void *malloc(size_t size);
void *realloc(void *block, size_t size);
void free(void *block);
_Noreturn void abort(void);
