/* Texts of statements as they may be shown: without the values in them. */
#ifndef POSTGRES_REDACT_H
#define POSTGRES_REDACT_H

/* At most so many bytes of a statement are shown. */
#define REDACT_BYTES 300

/* The statement on one line: strings (also E'', B'', U&'', $$ $$ and ones that are cut off)
 * and numbers are ?, comments are gone, what is longer ends in "...".  On the heap. */
char *redact_statement(const char *sql);

#endif
