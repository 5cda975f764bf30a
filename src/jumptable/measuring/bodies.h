/* A C caller of any function whose arguments travel in registers.
 *
 * Where integers and floating-point numbers have registers of their own (see native.h) a function
 * finds its arguments also if more registers are filled than it reads. So few prototypes do for
 * all signatures. The result stays where the function left it.
 */
#ifndef JUMPTABLE_BODIES_H
#define JUMPTABLE_BODIES_H

#include "../binding/native.h"

#define JT_REPEAT(types, values) \
    do { \
        void(*call) types = (void(*) types)address; \
        for (; count > 0; count--) \
            call values; \
    } while (0)

#define JT_I2 int64_t, int64_t
#define JT_I6 JT_I2, JT_I2, JT_I2
#define JT_D2 double, double
#define JT_D8 JT_D2, JT_D2, JT_D2, JT_D2
#define JT_i2 i[0], i[1]
#define JT_i6 JT_i2, i[2], i[3], i[4], i[5]
#define JT_d2 d[0], d[1]
#define JT_d8 JT_d2, d[2], d[3], d[4], d[5], d[6], d[7]

/* Call `address` this often with the first words of both arrays; -1 if that left an exception. */
static int jt_repeat(uintptr_t address, const int64_t *i, int ints, const double *d, int floats,
                     Py_ssize_t count) {
    int most_ints = ints == 0 ? 0 : ints <= 2 ? 1 : 2;
    int most_floats = floats == 0 ? 0 : floats <= 2 ? 1 : 2;
    switch (3 * most_ints + most_floats) {
    case 0: JT_REPEAT((void), ()); break;
    case 1: JT_REPEAT((JT_D2), (JT_d2)); break;
    case 2: JT_REPEAT((JT_D8), (JT_d8)); break;
    case 3: JT_REPEAT((JT_I2), (JT_i2)); break;
    case 4: JT_REPEAT((JT_I2, JT_D2), (JT_i2, JT_d2)); break;
    case 5: JT_REPEAT((JT_I2, JT_D8), (JT_i2, JT_d8)); break;
    case 6: JT_REPEAT((JT_I6), (JT_i6)); break;
    case 7: JT_REPEAT((JT_I6, JT_D2), (JT_i6, JT_d2)); break;
    default: JT_REPEAT((JT_I6, JT_D8), (JT_i6, JT_d8)); break;
    }
    return PyErr_Occurred() ? -1 : 0;
}

/* What costs nothing but the call: one for each register that a result is returned in. */
static int64_t jt_no_word(void) { return 0; }
static double jt_no_number(void) { return 0.0; }
static PyObject *jt_no_object(void) {
    Py_INCREF(Py_None);
    return Py_None;
}

#endif
