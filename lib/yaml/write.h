/* yaml/write.h - a tree as text again: one spelling for each tree, in printable ASCII alone, so that what a
 * person reads is what a program reads. Comments are not part of a tree. */
#ifndef YAML_WRITE_H
#define YAML_WRITE_H
#include "base/buf.h"
#include "yaml/yaml.h"

/* Appends the tree as a document. What can mean more than text (numbers, true, null) stays unquoted where it
 * was; all other text is quoted. 0, OUTCALL_E_NO_MEMORY, _LIMIT (the buffer's; a key beyond what YAML
 * allows).
 */
OC_NODISCARD int oc_yaml_write(struct oc_buf *b, const oc_yaml *root);
/* Appends text for a person's eyes, on one line: whatever is not printable ASCII becomes an escape, quotes
 * and backslashes stay. */
OC_NODISCARD int oc_yaml_escape(struct oc_buf *b, const char *text, size_t len);
/* Do both say the same to every reader of trees? Places and the kind of quotes do not count. */
bool oc_yaml_same(const oc_yaml *a, const oc_yaml *b);

/* Making and changing trees. A new node stands where `at` stands. NULL: out of memory. */
OC_NODISCARD oc_yaml *oc_yaml_new(enum oc_yaml_type type, const oc_yaml *at);
OC_NODISCARD oc_yaml *oc_yaml_new_text(const char *text, bool plain, const oc_yaml *at);
/* Both take the child, also when they fail, and accept NULL for it: OUTCALL_E_NO_MEMORY. */
OC_NODISCARD int oc_yaml_add(oc_yaml *sequence, oc_yaml *take_child);
OC_NODISCARD int oc_yaml_put(oc_yaml *mapping, const char *key, oc_yaml *take_child); /* replaces */

#endif
