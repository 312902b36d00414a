/* Copyright 2026 The Alchemy Linux authors
 * Distributed under the terms of the MIT License
 *
 * MPI for a program of one process, as far as High-Performance Linpack calls it. There is nobody to send anything to:
 * what sends or receives ends the program.
 */
#ifndef MPI_H
#define MPI_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef int MPI_Comm;
typedef int MPI_Datatype;
typedef int MPI_Op;
typedef int MPI_Request;
typedef long MPI_Aint;
typedef struct { int MPI_SOURCE, MPI_TAG, MPI_ERROR; } MPI_Status;

#define MPI_SUCCESS 0
#define MPI_UNDEFINED (-1)
#define MPI_COMM_NULL 0
#define MPI_COMM_WORLD 1
#define MPI_REQUEST_NULL 0

enum { MPI_BYTE = 1, MPI_INT, MPI_DOUBLE, MPI_ANY_TYPE };

static int mpi_alone(const char *function)
{
	fprintf(stderr, "%s: this program is one process, and has no other to talk to (P and Q of HPL.dat are 1)\n", function);
	exit(1);
}

static inline double MPI_Wtime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

#define MPI_Init(count, arguments) ((void)(count), (void)(arguments), MPI_SUCCESS)
#define MPI_Finalize() MPI_SUCCESS
#define MPI_Abort(comm, status) (exit(status), MPI_SUCCESS)

#define MPI_Comm_rank(comm, rank) ((void)(comm), *(rank) = 0, MPI_SUCCESS)
#define MPI_Comm_size(comm, size) ((void)(comm), *(size) = 1, MPI_SUCCESS)
#define MPI_Comm_split(comm, color, key, new) ((void)(color), (void)(key), *(new) = (comm), MPI_SUCCESS)
#define MPI_Comm_dup(comm, new) (*(new) = (comm), MPI_SUCCESS)
#define MPI_Comm_free(comm) (*(comm) = MPI_COMM_NULL, MPI_SUCCESS)

#define MPI_Address(location, address) (*(address) = (MPI_Aint)(location), MPI_SUCCESS)
#define MPI_Type_contiguous(count, old, new) (*(new) = MPI_ANY_TYPE, MPI_SUCCESS)
#define MPI_Type_vector(count, length, stride, old, new) (*(new) = MPI_ANY_TYPE, MPI_SUCCESS)
#define MPI_Type_struct(count, lengths, places, types, new) \
	((void)(lengths), (void)(places), (void)(types), *(new) = MPI_ANY_TYPE, MPI_SUCCESS)
#define MPI_Type_commit(type) ((void)(type), MPI_SUCCESS)
#define MPI_Type_free(type) ((void)(type), MPI_SUCCESS)
#define MPI_Get_address MPI_Address
#define MPI_Type_create_struct MPI_Type_struct

#define MPI_Send(...) mpi_alone("MPI_Send")
#define MPI_Ssend(...) mpi_alone("MPI_Ssend")
#define MPI_Issend(...) mpi_alone("MPI_Issend")
#define MPI_Isend(...) mpi_alone("MPI_Isend")
#define MPI_Recv(...) mpi_alone("MPI_Recv")
#define MPI_Irecv(...) mpi_alone("MPI_Irecv")
#define MPI_Sendrecv(...) mpi_alone("MPI_Sendrecv")
#define MPI_Iprobe(...) mpi_alone("MPI_Iprobe")
#define MPI_Wait(...) mpi_alone("MPI_Wait")
#define MPI_Waitall(...) mpi_alone("MPI_Waitall")
#define MPI_Bcast(...) mpi_alone("MPI_Bcast")
#define MPI_Reduce(...) mpi_alone("MPI_Reduce")

#endif
