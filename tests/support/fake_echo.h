/* What the scripted engine remembers of the last POST /containers/create, so that a script can describe the
 * container that a daemon really asked for. In a rule's body these strings stand for it, whatever was asked
 * last: "@name" the name; "@create:PATH" the member at that dotted path of the request; "@mounts" the
 * container's Mounts as an engine lists them. null before the first create. */
#ifndef SUPPORT_FAKE_ECHO_H
#define SUPPORT_FAKE_ECHO_H
#include "json/json.h"

/* What to keep: new; NULL when this is no create. */
json_t *fake_echo_note(const char *method, const char *path, const char *query, const char *body, size_t len);
/* Fills in every such string below *value, which may be replaced itself. noted: may be NULL. */
void fake_echo_fill(json_t **value, const json_t *noted);

#endif
