#include "daemon/client_error.h"

#include <stdarg.h>
#include <stdio.h>

void client_error_note(struct client_error *err, enum client_code code, const char *format, ...)
{
	va_list args;

	err->code = code;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
}
