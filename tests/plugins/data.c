/* Variables, and symbols that are neither a plain function nor a plain variable. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int32_t abi_version = 3;
const int32_t constant = 42;
uint8_t small = 200;
int64_t wide = INT64_MIN;
uint64_t huge = UINT64_MAX;
float single = 0.5f;
double ratio = 0.25;
bool flag = true;
const char *label = "first";
void *address = NULL;
void *reserve(size_t n) { return malloc(n); } /* links the C library */
static double table[2] = {1, 2};
double *values = table;
int zeroed;

int32_t get_abi_version(void) { return abi_version; }
double get_ratio(void) { return ratio; }

_Thread_local int per_thread = 7;

static double chosen(double x) { return x + 1; }
static double (*resolve(void))(double) { return chosen; }
double indirect(double) __attribute__((ifunc("resolve")));

static void (*resolve_nothing(void))(void) { return NULL; }
void absent(void) __attribute__((ifunc("resolve_nothing")));

static int hidden_by_static(void) { return 1; }
__attribute__((visibility("hidden"))) int hidden(void) { return hidden_by_static(); }
__attribute__((weak)) int weak(void) { return hidden() + 4; }

/* Code without a type, as hand-written assembly leaves it. */
__asm__(".globl untyped\n.text\nuntyped:\n ret\n");

/* A number that looks like an address. */
__asm__(".globl absolute\n.type absolute, @object\n.size absolute, 4\nabsolute = 42\n");
