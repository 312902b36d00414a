/*
 * Copyright 2026 The Alchemy Linux authors
 * Distributed under the terms of the MIT License
 *
 * The four vector routines of BLAS (level 1) that liblinear calls, by their Fortran names. Strides are positive.
 */
#include <math.h>

/* y += a * x */
int daxpy_(int *n, double *a, double *x, int *stride_x, double *y, int *stride_y)
{
	for (long i = 0; i < *n; i++)
		y[i * *stride_y] += *a * x[i * *stride_x];
	return 0;
}

/* x · y */
double ddot_(int *n, double *x, int *stride_x, double *y, int *stride_y)
{
	double sum = 0;

	for (long i = 0; i < *n; i++)
		sum += x[i * *stride_x] * y[i * *stride_y];
	return sum;
}

/* |x|, without an overflow of the squares */
double dnrm2_(int *n, double *x, int *stride)
{
	double norm = 0;

	for (long i = 0; i < *n; i++)
		norm = hypot(norm, x[i * *stride]);
	return norm;
}

/* x *= a */
int dscal_(int *n, double *a, double *x, int *stride)
{
	for (long i = 0; i < *n; i++)
		x[i * *stride] *= *a;
	return 0;
}
