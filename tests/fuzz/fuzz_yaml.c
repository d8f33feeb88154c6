/* The YAML loader: whatever loads must be a tree within its limits whose text is what it says it is. */
#include "base/str.h"
#include "yaml/yaml.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const oc_yaml *node, int depth)
{
    if (depth > OC_YAML_DEPTH_MAX || node->line < 1 || node->column < 1)
        abort();
    if (node->type == OC_YAML_SCALAR &&
        (node->first || strlen(node->text) != node->len || !oc_utf8_valid(node->text, node->len)))
        abort();
    size_t n = 0;
    for (const oc_yaml *child = node->first; child; child = child->next, n++) {
        if ((child->key != NULL) != (node->type == OC_YAML_MAPPING))
            abort();
        if (child->key && oc_yaml_get(node, child->key->text) != child)
            abort(); /* the first of its name must be the only one */
        check(child, child->type == OC_YAML_SCALAR ? depth : depth + 1);
    }
    if (n != node->n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    oc_yaml *root = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = oc_yaml_load((const char *)data, size, &root, &err);
    if (r < 0 ? err.code != r || root || (r != OUTCALL_E_NO_MEMORY && err.line < 1) : err.code != 0)
        abort();
    if (root)
        check(root, root->type == OC_YAML_SCALAR ? 0 : 1);
    (void)oc_yaml_free(root);
    return 0;
}
