// A libc for capsules, in as few bytes as it takes.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// First byte behind data and stack, and behind the memory that there is at the
// start; the linker defines both.
extern unsigned char __heap_base;
extern unsigned char __heap_end;

// The heap: block behind block, each behind its size, and all of it is free
// again once nothing is in use. That is after every request, for a capsule
// that keeps nothing on the heap from one to the next.
enum { UNIT = 8 };
static uintptr_t top;
static size_t live;

static uintptr_t up(uintptr_t at) { return (at + UNIT - 1) & ~(uintptr_t)(UNIT - 1); }

void *malloc(size_t size) {
  if (live == 0) {
    top = up((uintptr_t)&__heap_base);
  }
  uintptr_t block = top + UNIT;
  uintptr_t room = (uintptr_t)&__heap_end - block;
  if ((uintptr_t)&__heap_end < block || size > room || up(size) > room) {
    return NULL;
  }
  *(size_t *)top = size;
  top = block + up(size);
  live++;
  return (void *)block;
}

void free(void *block) {
  if (block) {
    live--;
  }
}

void *realloc(void *block, size_t size) {
  void *other = malloc(size);
  if (other && block) {
    size_t before = *(size_t *)((uintptr_t)block - UNIT);
    memcpy(other, block, before < size ? before : size);
    free(block);
  }
  return other;
}

void abort(void) { __builtin_trap(); }

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  for (size_t i = 0; i < size; i++) {
    ((unsigned char *)to)[i] = ((const unsigned char *)from)[i];
  }
  return to;
}

void *memset(void *to, int byte, size_t size) {
  for (size_t i = 0; i < size; i++) {
    ((unsigned char *)to)[i] = (unsigned char)byte;
  }
  return to;
}

int memcmp(const void *one, const void *other, size_t size) {
  for (size_t i = 0; i < size; i++) {
    int difference = ((const unsigned char *)one)[i] - ((const unsigned char *)other)[i];
    if (difference) {
      return difference;
    }
  }
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length]) {
    length++;
  }
  return length;
}
