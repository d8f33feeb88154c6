#include "containers/approved.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "core/error.h"
#include <string.h>

#define TMP_TARGET "/tmp"
#define WORDS_MAX  4

static json_t *words_of(const struct oc_body_mount *m)
{
    const char *mode = m->read_only ? "ro" : "rw";
    switch (m->type) {
    case OC_MOUNT_BIND:
        return json_sprintf("bind:%llu:%llu:%s", (unsigned long long)m->dev, (unsigned long long)m->ino,
                            mode);
    case OC_MOUNT_VOLUME:
        return json_sprintf("volume:%s:%s", mode, m->source);
    case OC_MOUNT_TMPFS:
        return json_string("tmpfs");
    }
    return NULL;
}

char *oc_approved_text(const struct oc_body_mount *mounts, size_t n)
{
    OC_JSON json_t *label = json_object();
    bool bad = !label;
    for (size_t i = 0; i < n && !bad; i++)
        bad = oc_json_set(label, mounts[i].target, words_of(&mounts[i]));
    if (!bad && !json_object_get(label, TMP_TARGET))
        bad = oc_json_set(label, TMP_TARGET, json_string("tmpfs"));
    return bad ? NULL : oc_json_dump(label, NULL);
}

static bool parse_mode(const char *word, size_t len, int *ret_read_only)
{
    *ret_read_only = len == 2 && memcmp(word, "ro", 2) == 0;
    return *ret_read_only || (len == 2 && memcmp(word, "rw", 2) == 0);
}

/* Words between colons. *ret_n > max: there are more. */
static void split(const char *text, const char *word[], size_t len[], size_t max, size_t *ret_n)
{
    for (*ret_n = 0; *ret_n < max; (*ret_n)++) {
        word[*ret_n] = text;
        len[*ret_n] = strcspn(text, ":");
        text += len[*ret_n];
        if (*text == '\0') {
            (*ret_n)++;
            return;
        }
        text++;
    }
    (*ret_n)++;
}

static bool parse_words(const char *text, outcall_expected_mount *x, const char **ret_volume)
{
    const char *word[WORDS_MAX];
    size_t len[WORDS_MAX], n = 0;
    uint64_t dev = 0, ino = 0;
    split(text, word, len, WORDS_MAX, &n);
    if (n == 1 && strcmp(text, "tmpfs") == 0) {
        x->is_tmpfs = 1;
        return true;
    }
    if (n == 3 && oc_starts_with(text, "volume:") && len[2] > 0) {
        *ret_volume = word[2];
        return parse_mode(word[1], len[1], &x->read_only);
    }
    if (n != 4 || !oc_starts_with(text, "bind:") || oc_parse_u64(word[1], len[1], 0, UINT64_MAX, &dev) < 0 ||
        oc_parse_u64(word[2], len[2], 0, UINT64_MAX, &ino) < 0)
        return false;
    x->dev = (dev_t)dev;
    x->ino = (ino_t)ino;
    return parse_mode(word[3], len[3], &x->read_only);
}

static int not_ours(outcall_error *err, const char *what)
{
    return oc_fail_kind(err, OUTCALL_E_DENIED, OUTCALL_KIND_MOUNT_DENIED,
                        "the label of its mounts is not one of outcall's: %s", what);
}

int oc_approved_parse(const char *text, struct oc_approved *ret, outcall_error *err)
{
    outcall_error why = OUTCALL_ERROR_INIT;
    const char *target = NULL;
    const json_t *words = NULL;
    ret->n = 0;
    int r = oc_json_load(text, strlen(text), &ret->label, &why);
    if (r == OUTCALL_E_NO_MEMORY)
        return oc_no_memory(err);
    if (r < 0 || !json_is_object(ret->label))
        return not_ours(err, r < 0 ? why.text : "no object");
    json_object_foreach(ret->label, target, words)
    {
        const char *s = json_string_value(words), *volume = NULL;
        outcall_expected_mount x = {.target = target};
        if (ret->n == OC_APPROVED_MAX)
            return not_ours(err, "too many mounts");
        if (!s || !oc_path_is_clean(target) || !parse_words(s, &x, &volume))
            return not_ours(err, target);
        ret->volume[ret->n] = volume;
        ret->v[ret->n++] = x;
    }
    return 0;
}

void oc_approved_done(struct oc_approved *a)
{
    json_decref(a->label);
    a->label = NULL;
    a->n = 0;
}

int oc_approved_find(const struct oc_approved *a, const char *target)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i].target, target) == 0)
            return (int)i;
    return -1;
}
