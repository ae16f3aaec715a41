/* A C library that rounds otherwise: for LD_PRELOAD, with the functions of libm that are not exact.
 *
 * C_LIBRARY_SHIFT=1 moves every result one unit in the last place up. C_LIBRARY_COUNTS names a file to which each
 * process appends one line: the functions that it called, each with a count.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OF_ONE(X)                                                                                             \
    X(exp) X(exp2) X(exp10) X(expm1) X(log) X(log2) X(log10) X(log1p) X(sin) X(cos) X(tan) X(asin) X(acos)     \
    X(atan) X(sinh) X(cosh) X(tanh) X(asinh) X(acosh) X(atanh) X(erf) X(erfc) X(lgamma) X(tgamma) X(cbrt)
#define OF_TWO(X) X(pow) X(atan2) X(hypot)

enum {
#define NUMBER(name) NUMBER_##name, NUMBER_##name##f,
    OF_ONE(NUMBER) OF_TWO(NUMBER) NUMBER_sincos, NUMBER_sincosf, FUNCTIONS
};
static const char *names[] = {
#define NAME(name) #name, #name "f",
    OF_ONE(NAME) OF_TWO(NAME) "sincos", "sincosf"};
static unsigned long counts[FUNCTIONS];
static int shift;

__attribute__((constructor)) static void begin(void) { shift = getenv("C_LIBRARY_SHIFT") != NULL; }

static void count(int number) { __atomic_fetch_add(&counts[number], 1, __ATOMIC_RELAXED); }
static double moved(double x) { return shift && isfinite(x) && x != 0 ? nextafter(x, INFINITY) : x; }
static float movedf(float x) { return shift && isfinite(x) && x != 0 ? nextafterf(x, INFINITY) : x; }

#define WRAP(name, number, type, move, parameters, arguments)       \
    type name parameters {                                          \
        static type(*real) parameters;                              \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
        count(number);                                              \
        return move(real arguments);                                \
    }
#define WRAP_ONE(name)                                              \
    WRAP(name, NUMBER_##name, double, moved, (double x), (x))       \
    WRAP(name##f, NUMBER_##name##f, float, movedf, (float x), (x))
#define WRAP_TWO(name)                                                          \
    WRAP(name, NUMBER_##name, double, moved, (double x, double y), (x, y))      \
    WRAP(name##f, NUMBER_##name##f, float, movedf, (float x, float y), (x, y))
OF_ONE(WRAP_ONE)
OF_TWO(WRAP_TWO)

#define WRAP_BOTH(name, type, move)                                                              \
    void name(type x, type *sine, type *cosine) {                                                \
        static void (*real)(type, type *, type *);                                               \
        if (!real) real = (void (*)(type, type *, type *))dlsym(RTLD_NEXT, #name);               \
        count(NUMBER_##name);                                                                    \
        real(x, sine, cosine);                                                                   \
        *sine = move(*sine);                                                                     \
        *cosine = move(*cosine);                                                                 \
    }
WRAP_BOTH(sincos, double, moved)
WRAP_BOTH(sincosf, float, movedf)

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("C_LIBRARY_COUNTS");
    char line[4096];
    int length = 0;
    if (!path) return;
    for (int number = 0; number < FUNCTIONS; number++)
        if (counts[number])
            length += snprintf(line + length, sizeof line - length, "%s=%lu ", names[number], counts[number]);
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (file >= 0) {
        dprintf(file, "%s\n", line);
        close(file);
    }
}
