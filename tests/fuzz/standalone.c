/* Stands in for libFuzzer where it is not linked: runs the target once on nothing and once on each file named, and
 * reports as TAP. What a seed once broke is so tested with every compiler and in every mode. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

/* Exactly as large as the file, so that a sanitizer sees the first byte read past its end. */
static uint8_t *read_all(const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	long size;

	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0) {
		data = malloc(size > 0 ? (size_t)size : 1);
		if (data != NULL && fread(data, 1, (size_t)size, f) != (size_t)size) {
			free(data);
			data = NULL;
		}
		*ret_size = (size_t)size;
	}
	(void)fclose(f);
	return data;
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (LLVMFuzzerInitialize != NULL)
		(void)LLVMFuzzerInitialize(&argc, &argv);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%d\n", argc > 1 ? argc : 1);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	printf("ok 1 - nothing\n");
	for (int i = 1; i < argc; i++) {
		size_t size = 0;
		uint8_t *data = read_all(argv[i], &size);

		if (data == NULL) {
			printf("not ok %d - %s: cannot be read\n", i + 1, argv[i]);
			failed++;
			continue;
		}
		(void)LLVMFuzzerTestOneInput(data, size);
		printf("ok %d - %s\n", i + 1, argv[i]);
		free(data);
	}
	return failed != 0;
}
