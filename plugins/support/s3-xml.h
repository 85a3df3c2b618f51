/* The small XML documents that S3 answers with. */
#ifndef SUPPORT_S3_XML_H
#define SUPPORT_S3_XML_H

#include <stddef.h>

/* Called at the end of each element: its path without namespaces, such as
 * "ListBucketResult/Contents/Key", and its own text ("" where it has elements). */
typedef void (*s3_xml_end)(void *arg, const char *path, const char *text);

/* Goes through the document; blanks may come before it (they keep the connection of a long
 * CompleteMultipartUpload alive).  -EBADMSG: no XML, more than 16 deep, or with a document type
 * (S3 sends none, and entities could grow without limit). */
int s3_xml_read(const char *text, size_t size, s3_xml_end end, void *arg);

/* The text of the first element with this path, on the heap; NULL: none. */
char *s3_xml_find(const char *text, size_t size, const char *path);

/* `text` with what XML reserves written as entities; on the heap. */
char *s3_xml_escape(const char *text);

#endif
