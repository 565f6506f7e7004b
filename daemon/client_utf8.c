#include "daemon/client_utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ELLIPSIS 0x2026u

struct range {
	uint32_t first, last;
};

/* Characters that sit on the one before: marks, joiners, variation selectors. */
static const struct range zero_width[] = {
	{ 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x0591, 0x05BD },   { 0x0610, 0x061A },   { 0x064B, 0x065F },
	{ 0x0900, 0x0902 }, { 0x0E31, 0x0E31 }, { 0x0E34, 0x0E3A },   { 0x0E47, 0x0E4E },   { 0x1AB0, 0x1AFF },
	{ 0x1DC0, 0x1DFF }, { 0x200B, 0x200F }, { 0x2060, 0x2064 },   { 0x20D0, 0x20F0 },   { 0xFE00, 0xFE0F },
	{ 0xFE20, 0xFE2F }, { 0xFEFF, 0xFEFF }, { 0x1F3FB, 0x1F3FF }, { 0xE0001, 0xE01EF },
};

/* East Asian wide characters and the emoji that terminals draw over two columns. */
static const struct range double_width[] = {
	{ 0x1100, 0x115F },   { 0x231A, 0x231B },   { 0x23E9, 0x23EC },   { 0x23F0, 0x23F0 },   { 0x23F3, 0x23F3 },
	{ 0x25FD, 0x25FE },   { 0x2614, 0x2615 },   { 0x2648, 0x2653 },   { 0x267F, 0x267F },   { 0x2693, 0x2693 },
	{ 0x26A1, 0x26A1 },   { 0x26AA, 0x26AB },   { 0x26BD, 0x26BE },   { 0x26C4, 0x26C5 },   { 0x26CE, 0x26CE },
	{ 0x26D4, 0x26D4 },   { 0x26EA, 0x26EA },   { 0x26F2, 0x26F3 },   { 0x26F5, 0x26F5 },   { 0x26FA, 0x26FA },
	{ 0x26FD, 0x26FD },   { 0x2705, 0x2705 },   { 0x270A, 0x270B },   { 0x2728, 0x2728 },   { 0x274C, 0x274C },
	{ 0x274E, 0x274E },   { 0x2753, 0x2755 },   { 0x2757, 0x2757 },   { 0x2795, 0x2797 },   { 0x27B0, 0x27B0 },
	{ 0x2B1B, 0x2B1C },   { 0x2B50, 0x2B50 },   { 0x2B55, 0x2B55 },   { 0x2E80, 0x303E },   { 0x3041, 0xA4CF },
	{ 0xA960, 0xA97C },   { 0xAC00, 0xD7A3 },   { 0xF900, 0xFAFF },   { 0xFE30, 0xFE6F },   { 0xFF01, 0xFF60 },
	{ 0xFFE0, 0xFFE6 },   { 0x1F004, 0x1F004 }, { 0x1F0CF, 0x1F0CF }, { 0x1F18E, 0x1F18E }, { 0x1F191, 0x1F19A },
	{ 0x1F1E6, 0x1F202 }, { 0x1F210, 0x1F23B }, { 0x1F240, 0x1F248 }, { 0x1F250, 0x1F265 }, { 0x1F300, 0x1F64F },
	{ 0x1F680, 0x1F6FF }, { 0x1F7E0, 0x1F7EB }, { 0x1F90C, 0x1F9FF }, { 0x1FA70, 0x1FAFF }, { 0x20000, 0x3FFFD },
};

/* Direction marks, embeddings, overrides and isolates: they can make a line read as another. */
static const struct range direction_controls[] = {
	{ 0x061C, 0x061C },
	{ 0x200E, 0x200F },
	{ 0x2028, 0x202E },
	{ 0x2066, 0x2069 },
};

static bool range_holds(const struct range *ranges, size_t n, uint32_t character)
{
	for (size_t i = 0; i < n; i++) {
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	}
	return false;
}

static size_t utf8_expected(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xC2 && first <= 0xDF)
		return 2;
	if (first >= 0xE0 && first <= 0xEF)
		return 3;
	if (first >= 0xF0 && first <= 0xF4)
		return 4;
	return 0;
}

/* Overlong forms, surrogates and what lies beyond Unicode are no characters. */
static bool utf8_acceptable(uint32_t character, size_t size)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };

	return character >= smallest[size] && character <= 0x10FFFF && !(character >= 0xD800 && character <= 0xDFFF);
}

size_t client_utf8_next(const char *text, size_t len, uint32_t *ret_character)
{
	static const unsigned char first_mask[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
	const unsigned char *p = (const unsigned char *)text;
	size_t size = utf8_expected(p[0]);
	uint32_t character;

	*ret_character = CLIENT_UTF8_REPLACEMENT;
	if (size == 0 || size > len)
		return 1;
	character = p[0] & first_mask[size];
	for (size_t i = 1; i < size; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 1;
		character = character << 6 | (p[i] & 0x3F);
	}
	if (!utf8_acceptable(character, size))
		return 1;
	*ret_character = character;
	return size;
}

size_t client_utf8_put(char out[4], uint32_t character)
{
	static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	size_t size = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

	for (size_t i = size - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (character & 0x3F));
		character >>= 6;
	}
	out[0] = (char)(lead[size] | character);
	return size;
}

unsigned client_utf8_width(uint32_t character)
{
	if (character < 0x300)
		return 1;
	if (range_holds(zero_width, COUNT(zero_width), character))
		return 0;
	return range_holds(double_width, COUNT(double_width), character) ? 2 : 1;
}

size_t client_utf8_columns(const char *text, size_t len)
{
	size_t columns = 0;
	uint32_t character;

	for (size_t at = 0; at < len;) {
		at += client_utf8_next(text + at, len - at, &character);
		columns += client_utf8_width(character);
	}
	return columns;
}

static uint32_t utf8_harmless(uint32_t character)
{
	if (character == '\t' || character == '\n' || character == '\r')
		return ' ';
	if (character < 0x20 || (character >= 0x7F && character < 0xA0) ||
	    range_holds(direction_controls, COUNT(direction_controls), character))
		return CLIENT_UTF8_REPLACEMENT;
	return character;
}

char *client_utf8_clean(const char *text, size_t len, size_t max_columns)
{
	char *clean = malloc(len * 3 + 4); /* a bad byte grows to the three of U+FFFD */
	size_t used = 0, columns = 0;
	size_t fits = 0; /* bytes that leave a column free for the ellipsis */
	uint32_t character;

	if (clean == NULL)
		return NULL;
	for (size_t at = 0; at < len;) {
		at += client_utf8_next(text + at, len - at, &character);
		character = utf8_harmless(character);
		columns += client_utf8_width(character);
		if (max_columns != 0 && columns > max_columns) {
			used = fits + client_utf8_put(clean + fits, ELLIPSIS);
			break;
		}
		used += client_utf8_put(clean + used, character);
		if (columns < max_columns)
			fits = used;
	}
	clean[used] = '\0';
	return clean;
}
