#include "support/fake_echo.h"
#include "base/str.h"
#include <string.h>

json_t *fake_echo_note(const char *method, const char *path, const char *query, const char *body, size_t len)
{
    json_t *asked = NULL;
    if (strcmp(method, "POST") != 0 || !oc_starts_with(path, "/containers/create") ||
        !oc_starts_with(query, "name=") || oc_json_load(body, len, &asked, NULL) < 0)
        return NULL;
    const char *name = query + strlen("name=");
    return json_pack("{s:o, s:o}", "name", json_sprintf("/%.*s", (int)strcspn(name, "&"), name), "create",
                     asked);
}

/* Docker's MountPoint of a mount that was asked for. */
static json_t *mounts_of(const json_t *noted)
{
    json_t *list = json_array();
    const json_t *asked = oc_json_get(noted, "create.HostConfig.Mounts");
    for (size_t i = 0; i < json_array_size(asked); i++) {
        const json_t *m = json_array_get(asked, i);
        bool is_volume = oc_streq(oc_json_string(m, "Type", ""), "volume");
        (void)!oc_json_add(list, json_pack("{s:s, s:s, s:s, s:s, s:b}", "Type", oc_json_string(m, "Type", ""),
                                           "Name", is_volume ? oc_json_string(m, "Source", "") : "", "Source",
                                           oc_json_string(m, "Source", ""), "Destination",
                                           oc_json_string(m, "Target", ""), "RW",
                                           !oc_json_bool(m, "ReadOnly", false)));
    }
    return list;
}

static json_t *stands_for(const char *s, const json_t *noted)
{
    if (strcmp(s, "@name") == 0)
        return json_deep_copy(json_object_get(noted, "name"));
    if (strcmp(s, "@mounts") == 0)
        return mounts_of(noted);
    return oc_starts_with(s, "@create:")
               ? json_deep_copy(oc_json_get(json_object_get(noted, "create"), s + strlen("@create:")))
               : NULL;
}

void fake_echo_fill(json_t **value, const json_t *noted)
{
    const char *s = json_string_value(*value), *key = NULL;
    json_t *child = NULL;
    void *next = NULL;
    if (s && s[0] == '@') {
        json_t *filled = noted ? stands_for(s, noted) : NULL;
        json_decref(*value);
        *value = filled ? filled : json_null();
    }
    json_object_foreach_safe(*value, next, key, child)
    {
        json_t *own = json_incref(child);
        fake_echo_fill(&own, noted);
        (void)json_object_set_new(*value, key, own);
    }
    for (size_t i = 0; i < json_array_size(*value); i++) {
        json_t *own = json_incref(json_array_get(*value, i));
        fake_echo_fill(&own, noted);
        (void)json_array_set_new(*value, i, own);
    }
}
