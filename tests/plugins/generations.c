/* Ten thousand functions, f10000 to f19999, that return 1 to 10000. */
#include <stdint.h>

#define ONE(number) int64_t f##number(void) { return number - 9999; }
#define TEN(make, digits)                                                                         \
    make(digits##0) make(digits##1) make(digits##2) make(digits##3) make(digits##4)               \
    make(digits##5) make(digits##6) make(digits##7) make(digits##8) make(digits##9)
#define TENS(digits) TEN(ONE, digits)
#define TEN_TENS(digits)                                                                          \
    TENS(digits##0) TENS(digits##1) TENS(digits##2) TENS(digits##3) TENS(digits##4)               \
    TENS(digits##5) TENS(digits##6) TENS(digits##7) TENS(digits##8) TENS(digits##9)
#define THOUSAND(digits)                                                                          \
    TEN_TENS(digits##0) TEN_TENS(digits##1) TEN_TENS(digits##2) TEN_TENS(digits##3)               \
    TEN_TENS(digits##4) TEN_TENS(digits##5) TEN_TENS(digits##6) TEN_TENS(digits##7)               \
    TEN_TENS(digits##8) TEN_TENS(digits##9)

THOUSAND(10) THOUSAND(11) THOUSAND(12) THOUSAND(13) THOUSAND(14)
THOUSAND(15) THOUSAND(16) THOUSAND(17) THOUSAND(18) THOUSAND(19)
