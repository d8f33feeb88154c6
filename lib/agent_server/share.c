#include "agent_server/share.h"
#include "base/base.h"

/* Each pass of the server serves each container once, so a container costs the others one pass of its own.
 * One that has much to do at once - a flood on all of its connections - takes long over it, and is then left
 * alone for a hundred times as long: a hundredth of the thread is its share. Some of it is given in advance:
 * that a single question takes long is the machine's doing (a cold cache, a guest that is not run). And
 * whoever is left alone finds its cache cold again, so it stays away until it has some of that advance back:
 * it is rarely left alone then, instead of for a little at each question. */
#define LONG_NS    UINT64_C(100000)    /* some questions; below that nobody is left alone */
#define ALONE      UINT64_C(99)        /* times as long */
#define ALONE_MAX  UINT64_C(100000000) /* but a run never costs more than this */
#define ADVANCE_NS UINT64_C(100000000) /* of being alone: a millisecond of the thread */
#define BACK_NS    UINT64_C(50000000)  /* of the advance, when it is served again */

void oc_share_charge(struct oc_share *s, uint64_t took_ns, uint64_t now_ns)
{
    if (took_ns < LONG_NS)
        return;
    uint64_t cost = OC_MIN((took_ns - LONG_NS), ALONE_MAX / ALONE) * ALONE;
    s->paid_until_ns = OC_MIN(OC_MAX(s->paid_until_ns, now_ns) + cost, now_ns + ADVANCE_NS + ALONE_MAX);
}

bool oc_share_spent(const struct oc_share *s, uint64_t now_ns)
{
    return s->paid_until_ns > now_ns + ADVANCE_NS;
}

bool oc_share_back(const struct oc_share *s, uint64_t now_ns)
{
    return s->paid_until_ns <= now_ns + ADVANCE_NS - BACK_NS;
}
