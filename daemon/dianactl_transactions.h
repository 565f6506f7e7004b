#ifndef DAEMON_DIANACTL_TRANSACTIONS_H
#define DAEMON_DIANACTL_TRANSACTIONS_H

/* Rows of a statement: when, why and how much, and the balance after it. */

#include <stdbool.h>
#include <stdio.h>

#include <msgpack.h>

#include "daemon/client_table.h"

#define DIANACTL_TRANSACTIONS_COLUMNS 5

extern const struct client_column dianactl_transactions_columns[DIANACTL_TRANSACTIONS_COLUMNS];

/* Whether an amount in it has a fraction: then all rows show decimals. */
bool dianactl_transactions_fraction(const msgpack_object *item);

/* A signed amount. */
void dianactl_transactions_amount(struct client_table *table, int64_t milli, bool decimals);

/* Its description; without one the other side of a transfer, or what it refers to. paid: points were taken. item may
 * also be the data of its event. */
void dianactl_transactions_why(FILE *out, const msgpack_object *item, bool paid);

/* A row for a transaction as point.list gives it. */
void dianactl_transactions_add(struct client_table *table, const msgpack_object *item, bool decimals, bool utc);

#endif
