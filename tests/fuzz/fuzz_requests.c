/* Rule requests: what an agent sends, and what lies in the store. The active text of whatever loads says the
 * same when it is made again; an entry that is read can be written and read again and is the same. */
#include "policy/request.h"
#include "yaml/write.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plain(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p != '\n' && (*p < 0x20 || *p > 0x7e))
            abort();
}

static void check_scope(const char *active)
{
    OC_CLEANUP(oc_yaml_freep) oc_yaml *root = NULL;
    if (oc_yaml_load(active, strlen(active), &root, NULL) < 0 || !root)
        abort();
    const oc_yaml *rules = oc_yaml_get(root, "rules");
    for (const oc_yaml *v = rules->first; v; v = v->next) {
        const oc_yaml *agents = oc_yaml_get(v, "agents");
        if (v->type == OC_YAML_MAPPING && (!agents || agents->type != OC_YAML_SEQUENCE || agents->n != 1 ||
                                           strcmp(agents->first->text, "builder") != 0))
            abort();
    }
}

static void submit(const char *data, size_t size)
{
    OC_FREE char *active = NULL;
    OC_FREE char *again = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    int r = oc_request_active("builder", data, size, &active, &err);
    if (r < 0) { /* OUTCALL_E_INTERNAL: it would not have said the same */
        if (active || err.code != r || r == OUTCALL_E_INTERNAL)
            abort();
        return;
    }
    check_plain(active);
    check_scope(active);
    r = oc_request_active("builder", active, strlen(active), &again, &err);
    if (r == OUTCALL_E_LIMIT)
        return; /* what was put in can be one value too many */
    if (r < 0 || strcmp(active, again) != 0)
        abort();
}

static void validate(const char *data, size_t size)
{
    OC_FREE char *active = NULL;
    outcall_error err = OUTCALL_ERROR_INIT;
    outcall_request r = {.id = ""};
    int e = oc_request_check("builder", data, size, NULL, &active, &err);
    if (e < 0 ? active || err.code != e || e == OUTCALL_E_INTERNAL : !active)
        abort();
    if (e < 0)
        return;
    r.active = active;
    if (oc_request_summarize(&r, NULL) < 0 || r.rules.n == 0) /* what was taken can be shown */
        abort();
    for (size_t i = 0; i < r.allows.n; i++)
        check_plain(r.allows.v[i]);
    oc_strings_done(&r.rules);
    oc_strings_done(&r.allows);
}

static void entry(const char *data, size_t size)
{
    outcall_request *r = NULL, *again = NULL;
    OC_FREE char *text = NULL;
    size_t len = 0;
    if (oc_request_entry_decode(data, size, &r, NULL) < 0) {
        if (r)
            abort();
        return;
    }
    if (!oc_request_id_valid(r->id, strlen(r->id)) || !oc_request_agent_valid(r->agent))
        abort();
    if (oc_request_entry_encode(r, &text, &len) < 0 || oc_request_entry_decode(text, len, &again, NULL) < 0)
        abort();
    if (strcmp(r->id, again->id) != 0 || strcmp(r->text, again->text) != 0 || r->number != again->number ||
        strcmp(r->active, again->active) != 0 || r->status != again->status ||
        !oc_streq(r->reason, again->reason) || r->allows.n != again->allows.n)
        abort();
    (void)outcall_request_free(r);
    (void)outcall_request_free(again);
}

/* The first byte says which: rule files are text, so all of them can be told from entries by hand too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *rest = (const char *)data + 1;
    switch (data[0]) {
    case 'e':
        entry(rest, size - 1);
        break;
    case 'v':
        validate(rest, size - 1);
        break;
    default:
        submit(rest, size - 1);
    }
    return 0;
}
