#ifndef DIRECT_H
#define DIRECT_H

double direct(double x);

#endif
