#ifndef DAEMON_CLIENT_UTF8_H
#define DAEMON_CLIENT_UTF8_H

/*
 * Text for terminals: decoding, width, and making foreign text harmless. Independent of the locale,
 * since what the daemon stores is UTF-8 whatever the terminal says.
 */

#include <stddef.h>
#include <stdint.h>

#define CLIENT_UTF8_REPLACEMENT 0xFFFDu

/*
 * Decodes the first character of text (len > 0) and returns the bytes it takes. A byte that does not
 * begin a valid character is taken alone, as U+FFFD.
 */
size_t client_utf8_next(const char *text, size_t len, uint32_t *ret_character);

/* Writes character (any code point) to out and returns the bytes written, 1 to 4. */
size_t client_utf8_put(char out[4], uint32_t character);

/* Terminal columns of one character: 0, 1 or 2. */
unsigned client_utf8_width(uint32_t character);

/* Terminal columns of a text. */
size_t client_utf8_columns(const char *text, size_t len);

/*
 * An owned copy (free()) that is safe on a terminal: white space becomes a space; control characters
 * and direction overrides, which could repaint the screen, become U+FFFD. Cut to max_columns with an
 * ellipsis unless max_columns is 0. NULL: out of memory.
 */
char *client_utf8_clean(const char *text, size_t len, size_t max_columns);

#endif
