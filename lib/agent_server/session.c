#include "agent_server/session.h"
#include "base/num.h"
#include "base/rand.h"
#include "base/str.h"
#include <string.h>

static bool parse(const char *token, uint64_t ret[2])
{
    if (strlen(token) != OC_TOKEN_SIZE - 1 || !oc_starts_with(token, "tok-"))
        return false;
    return oc_parse_hex(token + 4, 16, UINT64_MAX, &ret[0]) == 0 &&
           oc_parse_hex(token + 20, 16, UINT64_MAX, &ret[1]) == 0;
}

/* A place for one more: new, or that of the session which was silent longest. */
static struct oc_session *place(struct oc_sessions *s)
{
    if (s->n == s->cap && s->cap < OC_SESSIONS_MAX) {
        size_t cap = s->cap ? s->cap * 2 : 4;
        struct oc_session *v = reallocarray(s->v, cap, sizeof(*v));
        if (!v)
            return NULL;
        s->v = v;
        s->cap = cap;
    }
    if (s->n < s->cap)
        return &s->v[s->n++];
    struct oc_session *oldest = s->v;
    for (size_t i = 1; i < s->n; i++)
        if (s->v[i].seen_ms < oldest->seen_ms)
            oldest = &s->v[i];
    return oldest;
}

int oc_session_new(struct oc_sessions *s, uint64_t now_ms, char ret[OC_TOKEN_SIZE])
{
    char hex[33];
    uint64_t token[2] = {0, 0};
    int r = oc_random_hex(hex, sizeof(hex));
    if (r < 0)
        return r;
    (void)oc_format(ret, OC_TOKEN_SIZE, "tok-%s", hex);
    struct oc_session *one = parse(ret, token) ? place(s) : NULL;
    if (!one)
        return OUTCALL_E_NO_MEMORY;
    *one = (struct oc_session){{token[0], token[1]}, now_ms};
    return 0;
}

bool oc_session_check(struct oc_sessions *s, const char *token, uint64_t now_ms)
{
    uint64_t wanted[2] = {0, 0};
    struct oc_session *found = NULL;
    if (!parse(token, wanted))
        return false;
    for (size_t i = 0; i < s->n; i++)
        if (((s->v[i].token[0] ^ wanted[0]) | (s->v[i].token[1] ^ wanted[1])) == 0)
            found = &s->v[i];
    if (found)
        found->seen_ms = now_ms;
    return found != NULL;
}

void oc_sessions_done(struct oc_sessions *s)
{
    free(s->v);
    *s = (struct oc_sessions){NULL, 0, 0};
}
