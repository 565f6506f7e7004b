#ifndef DAEMON_DIANACTL_BACKGROUND_H
#define DAEMON_DIANACTL_BACKGROUND_H

/*
 * Runs job(arg) in a thread of its own, and watch(arg) ten times a second until it has returned: for work that does not
 * tell how far it is, but can be looked at. Returns what job returned; without a thread it runs unwatched.
 */
int dianactl_background(int (*job)(void *arg), void (*watch)(void *arg), void *arg);

#endif
