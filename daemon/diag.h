#ifndef DAEMON_DIAG_H
#define DAEMON_DIAG_H

/*
 * What the daemon tells its operator: one line per message on stderr, with the priority prefix of
 * sd-daemon(3) when the journal reads it, else with a time. Only the daemon logs; the floors below
 * report errors. Any thread.
 */
enum diag_level { DIAG_ERROR, DIAG_WARN, DIAG_INFO, DIAG_DEBUG };

void diag_set_level(enum diag_level level);
/* "error", "warn", "info", "debug"; -1: none of them. */
int diag_level_by_name(const char *name);
void diag_print(enum diag_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define diag_error(...) diag_print(DIAG_ERROR, __VA_ARGS__)
#define diag_warn(...) diag_print(DIAG_WARN, __VA_ARGS__)
#define diag_info(...) diag_print(DIAG_INFO, __VA_ARGS__)
#define diag_debug(...) diag_print(DIAG_DEBUG, __VA_ARGS__)

#endif
