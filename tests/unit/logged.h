/* What is logged goes into a file between log_capture() and log_release(). */
#ifndef SKF_TESTS_LOGGED_H
#define SKF_TESTS_LOGGED_H

void log_capture(void);
void log_release(void);
/* How many lines with that text there were. */
int logged(const char *text);

#endif
