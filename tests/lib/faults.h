#ifndef TESTS_LIB_FAULTS_H
#define TESTS_LIB_FAULTS_H

#include <stdbool.h>
#include <stdlib.h>

/*
 * Allocations that fail, one after the other. To be included by one .c of a test program only: the Makefile
 * gives it every call of these that our own code makes.
 *
 *   for (bool fired = true; fired; n++) {
 *           fail_alloc_after(n);
 *           rc = ...;
 *           fired = fault_fired();
 *           assert_int_equal(rc, fired ? E_... : 0);
 *   }
 *
 * Only the thread that asked for it sees the fault.
 */
static _Thread_local long faults_left = -1; /* allocations that still succeed; -1: all do */
static _Thread_local bool faults_fired;

static bool fault_is_due(void)
{
	if (faults_left < 0 || faults_left-- > 0)
		return false;
	faults_left = -1;
	faults_fired = true;
	return true;
}

static inline void fail_alloc_after(long n)
{
	faults_left = n;
	faults_fired = false;
}

/* Whether one failed; from here on none does. */
static inline bool fault_fired(void)
{
	faults_left = -1;
	return faults_fired;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t n)
{
	return fault_is_due() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fault_is_due() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fault_is_due() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return fault_is_due() ? NULL : __real_aligned_alloc(align, n);
}

char *__wrap_strdup(const char *s)
{
	return fault_is_due() ? NULL : __real_strdup(s);
}

#endif
