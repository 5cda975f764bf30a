/* The number that says how plugins and hosts lay out what they tell jumptable.
 *
 * It changes only when something that is there already changes its meaning; what is merely added
 * keeps it. Plugins carry the number that they were compiled with.
 */
#ifndef JUMPTABLE_ABI_H
#define JUMPTABLE_ABI_H

#define JUMPTABLE_ABI 1

#endif
